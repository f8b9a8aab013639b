package uploader

import (
	"crypto/tls"
	"errors"
	"fmt"
	"time"
)

// verdict is what an exchange means, with the Error that it is if nothing more
// can be done. The zero verdict is a success.
type verdict struct {
	meaning
	// untaken says that nothing of the request was taken, for certain.
	untaken bool
	after   time.Duration // the server asks to wait so long; 0: it does not say
	err     Error
}

// judge reads an exchange. size is that of the request's body. understood
// tells whether the body of a success is what it should be, renewable whether
// there can be another token.
func judge(op operation, x exchange, size int, understood, renewable bool, hide *redactor) verdict {
	if x.status == 0 {
		return networkVerdict(op, x.err, hide)
	}
	v := verdict{meaning: meaningOf(op, x.status), after: retryAfter(x.header)}
	if v.blame != onAll && x.err != nil && x.err != errAnswerTooLong {
		// What is held against a measurement is written into the rejects, word
		// for word, so it has to be all there. The next answer may be.
		v.meaning = uncertain
	}
	v.untaken = v.do != accept && v.do != retry && refusesAll(x.status)
	if !renewable {
		v.meaning = v.meaning.withoutRenewal()
	}
	text := ""
	switch {
	case v.do == accept && x.err == nil && understood && !(x.hasty && op == opSubmit):
		return v
	case v.do == accept && x.err == nil && understood:
		v.meaning = uncertain
		text = "accepted before the request was sent"
	case v.do == accept:
		v.meaning = uncertain
		if op != opSubmit && x.err == nil {
			// Nothing was to be changed, so nothing is uncertain: somebody
			// else than the platform is answering there.
			v.meaning = meaning{stand, Fatal, hintAddress, onAll}
		}
		text = "answer not understood"
		if x.err == nil && op != opToken {
			text += fmt.Sprintf(": %q", hide.message(x.body))
		}
	case op == opToken:
		text = hide.tokenMessage(x.body)
	default:
		text = hide.message(x.body)
	}
	if location := x.header.Get("Location"); x.status/100 == 3 && location != "" {
		text = "redirect to " + hide.redirectTarget(location)
	}
	if text == "" {
		text = statusText(x.status)
	}
	v.err = Error{Kind: v.kind, Op: op.String(), Status: x.status, Message: text, Hint: v.hint}
	if x.err != nil {
		v.err.Err = hide.cause(op, x.err)
	}
	if op == opSubmit && size > nearLimit && (x.status == 403 || x.status == 413) {
		v.err.Hint += fmt.Sprintf("; the size is suspicious: %d bytes, where the platform takes less than %d", size, MaxBytes+1)
	}
	return v
}

// nearLimit is the size from which a request is suspected to be too large:
// proxies count in other ways than firewalls.
const nearLimit = MaxBytes * 9 / 10

// networkVerdict is for an exchange without an answer.
func networkVerdict(op operation, err error, hide *redactor) verdict {
	m := uncertain
	_, badCertificate := errors.AsType[*tls.CertificateVerificationError](err)
	_, noTLS := errors.AsType[tls.RecordHeaderError](err)
	switch {
	case badCertificate:
		m = meaning{stand, Fatal, hintCertificate, onAll}
	case noTLS, errors.Is(err, errProxy):
		m = meaning{stand, Fatal, hintAddress, onAll}
	}
	return verdict{meaning: m, err: Error{Kind: m.kind, Op: op.String(), Message: "no answer", Hint: m.hint, Err: hide.cause(op, err)}}
}
