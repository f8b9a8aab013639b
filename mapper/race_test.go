//go:build race

package mapper

// raceDetector says that the tests run with the race detector.
const raceDetector = true
