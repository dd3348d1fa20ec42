// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// FileSystem says what a folder is on, for fsync means nothing in memory.
func FileSystem(folder string) string {
	var stat unix.Statfs_t
	if err := unix.Statfs(folder, &stat); err != nil {
		return "unknown"
	}
	switch stat.Type {
	case unix.EXT4_SUPER_MAGIC:
		return "ext4"
	case unix.XFS_SUPER_MAGIC:
		return "xfs"
	case unix.BTRFS_SUPER_MAGIC:
		return "btrfs"
	case unix.TMPFS_MAGIC:
		return "tmpfs, where fsync does nothing"
	case unix.OVERLAYFS_SUPER_MAGIC:
		return "overlayfs"
	}
	return fmt.Sprintf("of type %#x", stat.Type)
}
