// SPDX-License-Identifier: Apache-2.0

package child

import "syscall"

// dieWithParent has the system kill a child whose parent is gone.
func dieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
