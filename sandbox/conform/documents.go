package conform

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"github.com/m3import/m3import/sandbox"
)

// HasPlatform reports whether m3ter's own document takes part in the checks.
func HasPlatform() bool {
	all, err := documents()
	return err == nil && len(all) > 1
}

// document is one description of the API.
type document struct {
	name   string
	router routers.Router
}

// documents loads them once for all tests of a package.
var documents = sync.OnceValues(func() ([]document, error) {
	own, err := load("the sandbox's document", sandbox.OpenAPI())
	if err != nil {
		return nil, err
	}
	text, err := platformText()
	if err != nil || text == nil {
		return []document{own}, err
	}
	platform, err := load("m3ter's document", text)
	return []document{own, platform}, err
})

// platformText finds m3ter's subset next to the module's root; nil when there
// is none.
func platformText() ([]byte, error) {
	dir, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			return nil, nil
		}
		dir = filepath.Dir(dir)
	}
	text, err := os.ReadFile(filepath.Join(dir, "..", "shared", "openapi", "m3ter-subset.yaml"))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return text, err
}

func load(name string, text []byte) (document, error) {
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		return document{}, fmt.Errorf("%s: %w", name, err)
	}
	adapt(doc)
	if err := doc.Validate(context.Background()); err != nil {
		return document{}, fmt.Errorf("%s: %w", name, err)
	}
	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		return document{}, fmt.Errorf("%s: %w", name, err)
	}
	return document{name, router}, nil
}

// adapt makes a document mean in Go what it means elsewhere. Its servers are
// other hosts. Its code pattern is a Java regular expression, which RE2 takes
// and misunderstands; the portable form stands beside it. Its form body is
// described as a string.
func adapt(doc *openapi3.T) {
	doc.Servers = nil
	for _, item := range doc.Paths.Map() {
		for _, operation := range item.Operations() {
			operation.Servers = nil
			if operation.RequestBody == nil {
				continue
			}
			if form := operation.RequestBody.Value.Content["application/x-www-form-urlencoded"]; form != nil && form.Schema.Value.Type.Is("string") {
				form.Schema = operation.RequestBody.Value.Content["application/json"].Schema
			}
		}
	}
	seen := make(map[*openapi3.Schema]bool)
	for _, schema := range doc.Components.Schemas {
		portable(schema, seen)
	}
}

// portable replaces patterns by their portable forms, in schema and below.
func portable(ref *openapi3.SchemaRef, seen map[*openapi3.Schema]bool) {
	if ref == nil || ref.Value == nil || seen[ref.Value] {
		return
	}
	schema := ref.Value
	seen[schema] = true
	if pattern, ok := schema.Extensions["x-pattern-re2"].(string); ok {
		schema.Pattern = pattern
	}
	portable(schema.Items, seen)
	for _, property := range schema.Properties {
		portable(property, seen)
	}
	for _, part := range schema.AllOf {
		portable(part, seen)
	}
}
