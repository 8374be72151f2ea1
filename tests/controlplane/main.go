// One binary with the parts of a real Kubernetes control plane, each run as its own process by the test suite:
// upstream's commands cannot share one, because each installs the handler of signals. They are unmodified; etcd is its
// own embed package. A part ends when its standard input does, so that nothing outlives whoever holds the other end.
package main

import (
	"fmt"
	"io"
	"net/url"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/embed"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	manager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
)

func main() {
	if len(os.Args) < 2 {
		fail("usage: controlplane etcd|apiserver|controller-manager|scheduler [flags]")
	}
	part := os.Args[1]
	os.Args = append([]string{part}, os.Args[2:]...)
	var command *cobra.Command
	switch part {
	case "etcd":
		command = etcd()
	case "apiserver":
		command = apiserver.NewAPIServerCommand()
	case "controller-manager":
		command = manager.NewControllerManagerCommand()
	case "scheduler":
		command = scheduler.NewSchedulerCommand()
	default:
		fail(fmt.Sprintf("unknown part %q", part))
	}
	go endWithInput()
	os.Exit(cli.Run(command))
}

func fail(message string) {
	fmt.Fprintln(os.Stderr, message)
	os.Exit(2)
}

// endWithInput ends this process once nobody holds the other end of its standard input. Politely would take minutes:
// an API server whose etcd went first waits for it.
func endWithInput() {
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(1)
}

// etcd serves one member on loopback until it is told to stop. Its flags are the few of upstream's that are needed.
func etcd() *cobra.Command {
	var dir, client, advertised, peer string
	var quota int64
	var noFsync bool
	command := &cobra.Command{
		Use:          "etcd",
		SilenceUsage: true,
		RunE: func(*cobra.Command, []string) error {
			config := embed.NewConfig()
			config.Dir = dir
			config.LogLevel = "error"
			config.UnsafeNoFsync = noFsync
			config.QuotaBackendBytes = quota
			for _, each := range []struct {
				text string
				to   []*[]url.URL
			}{
				{client, []*[]url.URL{&config.ListenClientUrls}},
				{advertised, []*[]url.URL{&config.AdvertiseClientUrls}},
				{peer, []*[]url.URL{&config.ListenPeerUrls, &config.AdvertisePeerUrls}},
			} {
				parsed, err := url.Parse(each.text)
				if err != nil {
					return err
				}
				for _, target := range each.to {
					*target = []url.URL{*parsed}
				}
			}
			config.InitialCluster = config.Name + "=" + peer
			stop := make(chan os.Signal, 1)
			signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
			server, err := embed.StartEtcd(config)
			if err != nil {
				return err
			}
			defer server.Close()
			select {
			case <-stop:
				return nil
			case err := <-server.Err():
				return err
			}
		},
	}
	flags := command.Flags()
	flags.StringVar(&dir, "data-dir", "", "folder for the data")
	flags.StringVar(&client, "listen-client-urls", "", "http://127.0.0.1:PORT for clients")
	flags.StringVar(&advertised, "advertise-client-urls", "", "the same")
	flags.StringVar(&peer, "listen-peer-urls", "", "http://127.0.0.1:PORT for peers, of which there are none")
	flags.Int64Var(&quota, "quota-backend-bytes", 0, "largest size of the data; 0 is etcd's default")
	flags.BoolVar(&noFsync, "unsafe-no-fsync", false, "do not wait for the disk")
	return command
}
