module github.com/zwire-mq/zwire

go 1.26.0

require (
	github.com/urfave/cli/v3 v3.14.0
	go.etcd.io/bbolt v1.5.0
	golang.org/x/sys v0.49.0
)
