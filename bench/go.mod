module github.com/zwire-mq/zwire/bench

go 1.26.0

require (
	github.com/go-zeromq/goczmq/v4 v4.2.2
	github.com/go-zeromq/zmq4 v0.17.0
	github.com/pebbe/zmq4 v1.4.0
	github.com/zwire-mq/zwire v0.0.0
)

require (
	golang.org/x/sync v0.7.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/text v0.15.0 // indirect
)

replace github.com/zwire-mq/zwire => ../
