//go:build !race

package uploader

const raced = false
