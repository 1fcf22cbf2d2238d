// Oracle says what github.com/Masterminds/semver, with which Helm reads versions and ranges, makes of them.
//
// Without arguments it reads questions from standard input, a JSON object each, and answers every one at once
// with a line of JSON on standard output. A question has one of three shapes:
//
//	{"version": "v1.2"}
//	    What NewVersion and what StrictNewVersion make of the text, as String() writes it; null where it is refused.
//	    {"loose": "1.2.0", "strict": null}
//
//	{"constraint": ">=1.2", "versions": ["1.3.0", "1.3.0-rc", "latest"]}
//	    Whether NewConstraint accepts it; then for each version, as NewVersion reads it, the answer of Check() and
//	    that of Check() with IncludePrerelease, and null for what is no version.
//	    {"accepted": true, "checks": [[true, true], [false, true], null]}
//	    {"accepted": false, "checks": null}
//
//	{"compare": ["1.2.0", "1.2.0-rc"]}
//	    -1, 0 or 1, as Compare() of the two versions; null where one of them is none.
//	    {"order": 1}
//
// What is no question ends it, with status 1 and the reason on standard error.
//
// `oracle select CONSTRAINT` is for measurements. It reads tags, a line each, takes those that are versions, of
// these those that the constraint admits, and of these the highest (the first of equal ones; null if there is none).
// The seconds are of this work alone, without start, reading and writing.
//
//	{"highest": "1.9.3", "admitted": 12, "versions": 990, "seconds": 0.0021}
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"github.com/Masterminds/semver/v3"
)

type question struct {
	Version    *string
	Constraint *string
	Versions   []string
	Compare    []string
}

type reading struct {
	Loose  *string `json:"loose"`
	Strict *string `json:"strict"`
}

type verdict struct {
	Accepted bool      `json:"accepted"`
	Checks   []*checks `json:"checks"`
}

// checks are the answers without and with IncludePrerelease.
type checks [2]bool

type comparison struct {
	Order *int `json:"order"`
}

type selection struct {
	Highest  *string `json:"highest"`
	Admitted int     `json:"admitted"`
	Versions int     `json:"versions"`
	Seconds  float64 `json:"seconds"`
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("oracle: ")
	var err error
	switch {
	case len(os.Args) == 1:
		err = answerAll(os.Stdin, os.Stdout)
	case len(os.Args) == 3 && os.Args[1] == "select":
		err = selectFrom(os.Stdin, os.Stdout, os.Args[2])
	default:
		err = errors.New("usage: oracle, or oracle select CONSTRAINT")
	}
	if err != nil {
		log.Fatal(err)
	}
}

func answerAll(in io.Reader, out io.Writer) error {
	questions := json.NewDecoder(in)
	questions.DisallowUnknownFields()
	answers := json.NewEncoder(out)
	for {
		var asked question
		if err := questions.Decode(&asked); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		answer, err := answerTo(asked)
		if err != nil {
			return err
		}
		if err := answers.Encode(answer); err != nil {
			return err
		}
	}
}

func answerTo(asked question) (any, error) {
	switch {
	case asked.Version != nil:
		return reading{
			Loose:  written(semver.NewVersion(*asked.Version)),
			Strict: written(semver.StrictNewVersion(*asked.Version)),
		}, nil
	case asked.Constraint != nil:
		return check(*asked.Constraint, asked.Versions), nil
	case len(asked.Compare) == 2:
		return compare(asked.Compare[0], asked.Compare[1]), nil
	}
	return nil, fmt.Errorf("no question: %+v", asked)
}

func written(version *semver.Version, err error) *string {
	if err != nil {
		return nil
	}
	text := version.String()
	return &text
}

func check(text string, versions []string) verdict {
	constraint, err := semver.NewConstraint(text)
	if err != nil {
		return verdict{}
	}
	withPrereleases := *constraint
	withPrereleases.IncludePrerelease = true
	answers := make([]*checks, len(versions))
	for i, text := range versions {
		if version, err := semver.NewVersion(text); err == nil {
			answers[i] = &checks{constraint.Check(version), withPrereleases.Check(version)}
		}
	}
	return verdict{Accepted: true, Checks: answers}
}

func compare(one, other string) comparison {
	left, err := semver.NewVersion(one)
	if err != nil {
		return comparison{}
	}
	right, err := semver.NewVersion(other)
	if err != nil {
		return comparison{}
	}
	order := left.Compare(right)
	return comparison{Order: &order}
}

func selectFrom(in io.Reader, out io.Writer, text string) error {
	var tags []string
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		tags = append(tags, lines.Text())
	}
	if err := lines.Err(); err != nil {
		return err
	}

	started := time.Now()
	constraint, err := semver.NewConstraint(text)
	if err != nil {
		return err
	}
	var found selection
	var highest *semver.Version
	for _, tag := range tags {
		version, err := semver.NewVersion(tag)
		if err != nil {
			continue
		}
		found.Versions++
		if !constraint.Check(version) {
			continue
		}
		found.Admitted++
		if highest == nil || version.GreaterThan(highest) {
			highest = version
		}
	}
	found.Seconds = time.Since(started).Seconds()

	if highest != nil {
		original := highest.Original()
		found.Highest = &original
	}
	return json.NewEncoder(out).Encode(found)
}
