"""The Transport protocol and one asynchronous client with retries, deadlines and Retry-After."""
