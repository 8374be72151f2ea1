"""GitHub, GitLab, Gitea and Forgejo: pull requests, comments, commit statuses, approvals, webhooks."""
