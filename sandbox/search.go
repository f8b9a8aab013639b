package sandbox

import (
	"math"
	"net/http"
	"slices"
	"strings"
	"time"
)

// defaultFound is how many accounts a search answers with when the client does
// not say.
const defaultFound = 10

// searchAccounts is GET /organizations/{orgId}/accounts/search: terms such as
// code:acme and name~Prem, separated by "$". Of the platform's comparators it
// has ":" (is) and "~" (contains, whatever the case); of its fields id, name,
// code and createdBy.
func (s *Server) searchAccounts(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	size, problem := queryInt(query, "pageSize", defaultFound, 1, maxPage)
	from, problem2 := queryInt(query, "fromDocument", 0, 0, math.MaxInt32)
	match, problem3 := parseSearch(query.Get("searchQuery"), query.Get("operator"))
	order, problem4 := parseOrder(query.Get("sortBy"), query.Get("sortOrder"))
	for _, problem := range []string{problem, problem2, problem3, problem4} {
		if problem != "" {
			refuse(w, r, http.StatusBadRequest, problem)
			return
		}
	}
	found := []*account{}
	for _, a := range slices.Backward(s.accounts.snapshot()) {
		if match(a) {
			found = append(found, a)
		}
	}
	slices.SortStableFunc(found, order)
	found = found[min(from, len(found)):]
	answer(w, http.StatusOK, page[*account]{Data: found[:min(size, len(found))]})
}

// searchable returns the text that a search compares.
func (a *account) searchable(field string) (string, bool) {
	switch field {
	case "id":
		return a.ID, true
	case "name":
		return a.Name, true
	case "code":
		return a.Code, true
	case "createdBy":
		return a.CreatedBy, true
	}
	return "", false
}

// parseSearch turns a query into a predicate. No query finds every account.
func parseSearch(query, operator string) (match func(*account) bool, problem string) {
	if operator != "" && operator != "AND" && operator != "OR" {
		return nil, "operator: must be AND or OR"
	}
	var terms []func(*account) bool
	for term := range strings.SplitSeq(query, "$") {
		if term == "" {
			continue
		}
		i := strings.IndexAny(term, ":~<>")
		if i < 0 || term[i] == '<' || term[i] == '>' {
			return nil, "searchQuery: a term must be field:value or field~value in the sandbox, not " + term
		}
		field, compare, value := term[:i], term[i], term[i+1:]
		if _, ok := new(account).searchable(field); !ok {
			return nil, "searchQuery: the sandbox searches id, name, code and createdBy, not " + field
		}
		terms = append(terms, func(a *account) bool {
			text, _ := a.searchable(field)
			if compare == ':' {
				return text == value
			}
			return strings.Contains(strings.ToLower(text), strings.ToLower(value))
		})
	}
	return func(a *account) bool {
		for _, term := range terms {
			if term(a) == (operator == "OR") {
				return operator == "OR"
			}
		}
		return operator != "OR" || len(terms) == 0
	}, ""
}

// parseOrder returns the order of the found accounts, the newest first unless
// asked otherwise.
func parseOrder(by, order string) (compare func(a, b *account) int, problem string) {
	if order != "" && order != "ASC" && order != "DESC" {
		return nil, "sortOrder: must be ASC or DESC"
	}
	sign := 1
	if order == "DESC" {
		sign = -1
	}
	if by == "" {
		return func(a, b *account) int { return 0 }, ""
	}
	if by == "dtCreated" {
		return func(a, b *account) int { return sign * time.Time.Compare(a.Created, b.Created) }, ""
	}
	if _, ok := new(account).searchable(by); !ok {
		return nil, "sortBy: the sandbox sorts by id, name, code, createdBy and dtCreated, not " + by
	}
	return func(a, b *account) int {
		x, _ := a.searchable(by)
		y, _ := b.searchable(by)
		return sign * strings.Compare(x, y)
	}, ""
}
