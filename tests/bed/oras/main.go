// Oras asks a registry by oras.land/oras-go, the client that Helm has, and says what that cost this process.
//
// `oras HOST` reads what to do from standard input, a JSON object each, and answers every one with a line of JSON on
// standard output when it is done. The host is reached over plain HTTP, without credentials.
//
//	{"operation": "head", "repository": "a/b", "reference": "1.0.0", "requests": 400, "at_once": 8, "warm_up": 16}
//	    First `warm_up` requests, then `requests`, never more than `at_once` at a time. The cost is that of the latter,
//	    with the processor time of the process as the kernel counts it, in user and in kernel mode.
//	    {"seconds": 0.21, "cpu_s": 0.08}
//
// The operations: "head" resolves the reference, "get" fetches its manifest, checks the digest and reads the JSON,
// "list" lists the tags, in pages of 1000.
//
// What cannot be done ends it, with status 1 and the reason on standard error.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"sync"
	"syscall"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/retry"
)

const (
	pageSize = 1000
	idleKept = 64 // net/http keeps two connections a host, and would open the others anew each time
)

type work struct {
	Operation  string `json:"operation"`
	Repository string `json:"repository"`
	Reference  string `json:"reference"`
	Requests   int    `json:"requests"`
	AtOnce     int    `json:"at_once"`
	WarmUp     int    `json:"warm_up"`
}

type cost struct {
	Seconds float64 `json:"seconds"`
	CPU     float64 `json:"cpu_s"`
}

type request func(context.Context) error

func main() {
	log.SetFlags(0)
	log.SetPrefix("oras: ")
	if len(os.Args) != 2 {
		log.Fatal("usage: oras HOST")
	}
	if err := answerAll(os.Stdin, os.Stdout, os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

func answerAll(in io.Reader, out io.Writer, host string) error {
	client := newClient()
	asked := json.NewDecoder(in)
	asked.DisallowUnknownFields()
	answers := json.NewEncoder(out)
	for {
		var next work
		if err := asked.Decode(&next); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		paid, err := do(next, host, client)
		if err != nil {
			return err
		}
		if err := answers.Encode(paid); err != nil {
			return err
		}
	}
}

// newClient is auth.DefaultClient with connections enough.
func newClient() *auth.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = idleKept
	return &auth.Client{
		Client: &http.Client{Transport: retry.NewTransport(transport)},
		Header: http.Header{"User-Agent": {"oras-go"}},
	}
}

func do(next work, host string, client *auth.Client) (cost, error) {
	repository, err := remote.NewRepository(host + "/" + next.Repository)
	if err != nil {
		return cost{}, err
	}
	repository.PlainHTTP = true
	repository.Client = client
	repository.TagListPageSize = pageSize
	ask, err := requestFor(next, repository)
	if err != nil {
		return cost{}, err
	}

	if err := repeat(ask, next.WarmUp, next.AtOnce); err != nil {
		return cost{}, err
	}
	before, err := cpuSeconds()
	if err != nil {
		return cost{}, err
	}
	started := time.Now()
	if err := repeat(ask, next.Requests, next.AtOnce); err != nil {
		return cost{}, err
	}
	elapsed := time.Since(started).Seconds()
	after, err := cpuSeconds()
	return cost{Seconds: elapsed, CPU: after - before}, err
}

func requestFor(next work, repository *remote.Repository) (request, error) {
	switch next.Operation {
	case "head":
		return func(ctx context.Context) error {
			_, err := repository.Resolve(ctx, next.Reference)
			return err
		}, nil
	case "get":
		return func(ctx context.Context) error { return fetch(ctx, repository, next.Reference) }, nil
	case "list":
		return func(ctx context.Context) error { return list(ctx, repository) }, nil
	}
	return nil, fmt.Errorf("no operation: %q", next.Operation)
}

func fetch(ctx context.Context, repository *remote.Repository, reference string) error {
	descriptor, body, err := repository.FetchReference(ctx, reference)
	if err != nil {
		return err
	}
	defer body.Close()
	raw, err := content.ReadAll(body, descriptor)
	if err != nil {
		return err
	}
	var manifest ocispec.Manifest
	return json.Unmarshal(raw, &manifest)
}

func list(ctx context.Context, repository *remote.Repository) error {
	var all []string
	err := repository.Tags(ctx, "", func(tags []string) error {
		all = append(all, tags...)
		return nil
	})
	if err == nil && len(all) == 0 {
		return errors.New("a list without tags")
	}
	return err
}

// repeat asks `count` times, `atOnce` at a time, and returns one of the errors.
func repeat(ask request, count, atOnce int) error {
	turns := make(chan struct{}, count)
	for range count {
		turns <- struct{}{}
	}
	close(turns)
	failures := make(chan error, atOnce)
	var asking sync.WaitGroup
	for range atOnce {
		asking.Go(func() {
			for range turns {
				if err := ask(context.Background()); err != nil {
					failures <- err
					return
				}
			}
		})
	}
	asking.Wait()
	select {
	case err := <-failures:
		return err
	default:
		return nil
	}
}

func cpuSeconds() (float64, error) {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return 0, err
	}
	return seconds(used.Utime) + seconds(used.Stime), nil
}

func seconds(value syscall.Timeval) float64 {
	return time.Duration(value.Nano()).Seconds()
}
