// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package main

import (
	"errors"

	"github.com/zwire-mq/zwire/bench/internal/figures"
)

var errNoEpoll = errors.New("needs Linux's epoll")

func fanPublish(*limit) (figures.Report, error)   { return nil, errNoEpoll }
func fanSubscribe(*limit) (figures.Report, error) { return nil, errNoEpoll }
func echoAll(*limit) (figures.Report, error)      { return nil, errNoEpoll }
func echoAsk(*limit) (figures.Report, error)      { return nil, errNoEpoll }
