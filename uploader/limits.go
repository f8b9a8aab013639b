package uploader

// Check reports whether measurements that must go into one request do: items
// of them, of so many bytes together without the commas between. The error
// wraps ErrTooLarge.
func (l Limits) Check(items, bytes int) error {
	l = l.withDefaults()
	alone := len(head) + bytes + max(items-1, 0) + len(tail)
	if items <= l.Items && alone <= l.Bytes {
		return nil
	}
	return (&Batch{limits: l}).tooLarge(items, alone)
}
