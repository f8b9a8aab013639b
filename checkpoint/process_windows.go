package checkpoint

import "os"

func processExists(pid int) bool {
	p, err := os.FindProcess(pid) // opens the process, which fails when there is none
	if err != nil {
		return false
	}
	_ = p.Release()
	return true
}
