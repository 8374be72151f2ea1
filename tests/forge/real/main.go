// Gitea as upstream's own command, unmodified: the test suite's real forge. Its server ends when its standard input does,
// so that nothing outlives whoever holds the other end.
package main

import (
	"io"
	"os"
	"runtime/debug"
	"strings"

	"code.gitea.io/gitea/cmd"
	_ "code.gitea.io/gitea/modules/markup/markdown"
	"code.gitea.io/gitea/modules/setting"
)

func main() {
	setting.AppVer = release()
	for _, argument := range os.Args[1:] {
		if argument == "web" {
			go endWithInput()
		}
	}
	if cmd.RunMainApp(cmd.NewMainApp(cmd.AppVersion{Version: setting.AppVer}), os.Args...) != nil {
		os.Exit(1)
	}
}

// release is the version that go.mod asks for.
func release() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, module := range info.Deps {
			if module.Path == "code.gitea.io/gitea" {
				return strings.TrimPrefix(module.Version, "v")
			}
		}
	}
	return "unknown"
}

func endWithInput() {
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(1)
}
