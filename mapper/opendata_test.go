package mapper

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/m3import/m3import/internal/decimal"
	"github.com/m3import/m3import/reader"
)

// openMappings are for public usage files that nobody made for this program;
// what is right for each stands in EXPECTED.json beside them.
var openMappings = map[string]string{
	"focus_1.0_sample.csv":                         "version: 1\ninput: {\"null\": [\"NULL\"]}\nmeter: ServiceName\naccount: SubAccountId\nts: {column: ChargePeriodStart, timezone: UTC}\nets: {column: ChargePeriodEnd, timezone: UTC}\nuid: Id\nmeasure: {quantity: ConsumedQuantity}\n",
	"aws_cur_legacy_anonymous.csv":                 "version: 1\nmeter: lineItem/UsageType\naccount: lineItem/UsageAccountId\nts: lineItem/UsageStartDate\nets: lineItem/UsageEndDate\nuid: {key: [identity/LineItemId, identity/TimeInterval]}\nmeasure: {quantity: lineItem/UsageAmount}\n",
	"azure_ea_amortized_small.csv":                 "version: 1\nmeter: MeterId\naccount: SubscriptionId\nts: {column: Date, format: \"%-m/%-d/%Y\", timezone: UTC}\nuid: row\nmeasure: {quantity: Quantity}\n",
	"azure_llm_inference_2023_code.csv":            "version: 1\nmeter: {const: context_tokens}\naccount: {const: llm-code}\nts: {column: TIMESTAMP, timezone: UTC}\nuid: row\nmeasure: {quantity: ContextTokens}\n",
	"openshift_pod_usage_202011.csv":               "version: 1\nmeter: {const: pod_cpu_core_seconds}\naccount: namespace\nts: interval_start\nuid: row\nmeasure: {quantity: pod_usage_cpu_core_seconds}\n",
	"mooncake_synthetic_trace.jsonl":               "version: 1\nmeter: {const: input_tokens}\naccount: {const: mooncake}\nts: {column: timestamp, format: epoch_ms, epoch: \"2024-01-01T00:00:00Z\"}\nuid: row\nmeasure: {quantity: input_length}\n",
	"tinybird_analytics_events.ndjson":             "version: 1\nmeter: action\naccount: tenant_id\nts: {column: timestamp, timezone: UTC}\nuid: row\nmeasure: {quantity: {const: 1}}\n",
	"k8s_metering_pod_request_memory_bytes.ndjson": "version: 1\nmeter: {const: pod_request_memory_bytes}\naccount: labels.namespace\nts: timestamp\nuid: {key: [labels.namespace, labels.pod, labels.node, timestamp]}\nmeasure: {quantity: amount}\n",
	"ga4_events.snappy.parquet":                    "version: 1\nmeter: event_name\naccount: user_pseudo_id\nts: {column: event_timestamp, format: epoch_us}\nuid: row\nmeasure: {quantity: ecommerce.total_item_quantity}\n",
	"focus_1.0_sample.derived.zstd.parquet":        "version: 1\nmeter: ServiceName\naccount: SubAccountId\nts: {column: ChargePeriodStart, timezone: UTC}\nets: {column: ChargePeriodEnd, timezone: UTC}\nuid: Id\nmeasure: {quantity: ConsumedQuantity}\n",
}

// TestOpenData: counts, exact sums and distinct uids of real usage files.
func TestOpenData(t *testing.T) {
	dir := filepath.Join("..", "..", "shared", "data", "open")
	text, err := os.ReadFile(filepath.Join(dir, "EXPECTED.json"))
	if err != nil {
		t.Skip("the public usage files are not here: ", err)
	}
	var expected []struct {
		File          string
		Good          int
		RejectedTotal int    `json:"rejected_total"`
		Sum           string `json:"sum_quantity_exact"`
	}
	if err := json.Unmarshal(text, &expected); err != nil {
		t.Fatal(err)
	}
	for _, want := range expected {
		mapping, ok := openMappings[want.File]
		if !ok {
			continue
		}
		t.Run(want.File, func(t *testing.T) {
			m, c := parsed(t, mapping)
			good, bad, uids, sum := importFile(t, filepath.Join(dir, want.File), m, c)
			var right decimal.Sum
			if right, err = decimal.ParseSum(want.Sum); err != nil {
				t.Fatal(err)
			}
			if good != want.Good || bad != want.RejectedTotal || uids != good || sum.String() != right.String() {
				t.Errorf("good %d, rejected %d, uids %d, sum %s; want %d, %d, %d, %s", good, bad, uids, sum.String(), want.Good, want.RejectedTotal, want.Good, right.String())
			}
		})
	}
}

// importFile counts what a file makes.
func importFile(t *testing.T, name string, m *Mapping, c *Mapper) (good, bad, uids int, sum decimal.Sum) {
	src, err := reader.Open(name, m.ReaderOptions())
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	seen := map[string]bool{}
	var out Output
	for {
		chunk, err := src.Next()
		if err != nil {
			return good, bad, len(seen), sum
		}
		out.Reset()
		for rec, err := range chunk.Records() {
			if err == nil {
				_, err = c.Append(&out, rec)
			}
			if err != nil {
				bad++
			}
		}
		for _, made := range split(t, &out) {
			if good%16 == 0 { // every one takes seconds
				conforms(t, made)
			}
			good++
			uid, _, _ := strings.Cut(made[uidStart:], `"`)
			seen[uid] = true
		}
		for _, a := range out.Amounts {
			sum.Add(a.Value)
		}
	}
}
