package sandbox

import (
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"

	"github.com/go-json-experiment/json"
)

// maxQuery is the longest query string that m3ter's firewall lets through.
const maxQuery = 2048

// Server is one sandbox. It is an http.Handler, safe for concurrent use, and
// shares nothing with other Servers.
type Server struct {
	config   Config
	clock    clock
	faults   faults
	tokens   tokens
	address  limiter // PerAddress
	org      limiter // PerOrganization
	requests requestCounts
	usage    usage
	accounts accounts
	meters   meters
	checks   *enrichment
	events   events
	signer   *signer
	batches  sync.Pool // of *batch
	routes   http.Handler
}

// New returns a sandbox that holds nothing yet. It panics when Config.Check has
// something against config; it never has against what ParseScenario and
// LoadScenario return.
func New(config Config) *Server {
	config = config.withDefaults()
	s := &Server{config: config}
	s.clock.base = config.Now
	s.clock.start(config.ClockStart, config.ClockRate)
	s.faults.seed, s.faults.start = config.Seed, s.clock.now()
	err := config.Check()
	if err == nil {
		err = s.AddFaults(config.Faults...)
	}
	if err != nil {
		panic("sandbox: Config." + err.Error())
	}
	s.address.limit = config.PerAddress
	s.org.limit = config.PerOrganization
	s.usage.init(config)
	s.checks, s.signer = newEnrichment(config, &s.meters, &s.accounts), newSigner()
	s.batches.New = func() any { return new(batch) }
	s.routes = s.newRoutes()
	return s
}

// operations are the ids of the platform's operations.
var operations = []string{
	"GenerateToken", "SubmitMeasurements", "GetOrganizationConfig", "ListMeters", "PostMeter", "GetMeter",
	"ListAccounts", "PostAccount", "SearchAccounts", "GetAccount",
	"ListEvents", "GetEvent", "ListEventFields", "ListEventTypes", "GetValidationErrorDownloadUrl",
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.routes.ServeHTTP(w, r) }

// newRoutes puts the counters around the middleware around the front around
// the firewall around the platform, and the sandbox's own pages beside it all.
func (s *Server) newRoutes() http.Handler {
	const org = "/organizations/{orgId}"
	platform := http.NewServeMux()
	ids := make(map[string]string) // of operations, by pattern
	handle := func(pattern, operation string, h http.HandlerFunc) {
		ids[pattern] = operation
		platform.HandleFunc(pattern, h)
	}
	handle("POST /oauth/token", "GenerateToken", s.generateToken)
	handle("POST "+org+"/measurements", "SubmitMeasurements", s.submit)
	handle("GET "+org+"/organizationconfig", "GetOrganizationConfig", s.authorized(s.organizationConfig))
	handle("GET "+org+"/meters", "ListMeters", s.authorized(s.listMeters))
	handle("POST "+org+"/meters", "PostMeter", s.authorized(s.createMeter))
	handle("GET "+org+"/meters/{id}", "GetMeter", s.authorized(s.meters.retrieve))
	handle("GET "+org+"/accounts", "ListAccounts", s.authorized(s.listAccounts))
	handle("POST "+org+"/accounts", "PostAccount", s.authorized(s.createAccount))
	handle("GET "+org+"/accounts/search", "SearchAccounts", s.authorized(s.searchAccounts))
	handle("GET "+org+"/accounts/{id}", "GetAccount", s.authorized(s.accounts.retrieve))
	handle("GET "+org+"/events", "ListEvents", s.authorized(s.listEvents))
	handle("GET "+org+"/events/{id}", "GetEvent", s.authorized(s.getEvent))
	handle("GET "+org+"/events/fields", "ListEventFields", s.authorized(s.listEventFields))
	handle("GET "+org+"/events/types", "ListEventTypes", s.authorized(s.listEventTypes))
	handle("GET "+org+"/measurements/failedIngest/getDownloadUrl", "GetValidationErrorDownloadUrl", s.authorized(s.downloadURL))
	platform.HandleFunc("/", notFound)

	operation := func(r *http.Request) string {
		_, pattern := platform.Handler(r)
		return ids[pattern]
	}
	h := s.front(firewall(platform), operation)
	if s.config.Middleware != nil {
		h = s.config.Middleware(h)
	}
	routes := http.NewServeMux()
	routes.Handle("/", s.requests.counted(h, operation))
	s.handleOwn(routes)
	return routes
}

// firewall refuses what the AWS Core rule set in front of m3ter is documented
// to refuse on any path: no User-Agent, and a query string that is too long.
// Its rules about content are not imitated.
func firewall(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.UserAgent() == "":
			refuse(w, r, http.StatusForbidden, "Forbidden: no User-Agent header")
		case len(r.URL.RawQuery) > maxQuery:
			refuse(w, r, http.StatusForbidden, "Forbidden: the query string is longer than "+strconv.Itoa(maxQuery)+" bytes")
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// authorized lets requests through that carry a good token for the
// organization of their path.
func (s *Server) authorized(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if s.admitted(w, r) {
			next(w, r)
		}
	}
}

// admitted checks token and organization, and answers the request when either
// is wrong.
func (s *Server) admitted(w http.ResponseWriter, r *http.Request) bool {
	if problem := s.tokens.check(r, s.clock.now()); problem != "" {
		refuse(w, r, s.config.UnauthorizedStatus, problem)
		return false
	}
	if id := r.PathValue("orgId"); id != s.config.OrgID {
		refuse(w, r, http.StatusForbidden, "Forbidden: no access to organization "+strconv.Quote(id))
		return false
	}
	return true
}

func notFound(w http.ResponseWriter, r *http.Request) {
	refuse(w, r, http.StatusNotFound, "Not Found: no operation "+r.Method+" "+r.URL.Path)
}

// clientAddress is the address that a per-address limit goes by. Forwarding
// headers do not count: anyone can write them.
func clientAddress(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// answer writes v as JSON.
func answer(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		panic("sandbox: an answer that is no JSON: " + err.Error())
	}
	answerJSON(w, status, body)
}

func answerJSON(w http.ResponseWriter, status int, body []byte) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	w.Write(body) // an error means that nobody is listening any more
}

// refuse answers with the platform's error body. It reads what may still come
// of a body of permitted size first: a server that hangs up on a client which
// is still sending lets it see a broken connection instead of the answer.
func refuse(w http.ResponseWriter, r *http.Request, status int, message string) {
	io.CopyN(io.Discard, r.Body, MaxBytes+1)
	answer(w, status, errorBody{message})
}

// errorBody is the body of every answer that is an error.
type errorBody struct {
	Message string `json:"message"`
}
