// SPDX-License-Identifier: Apache-2.0

// Command kload puts the same load on any Kubernetes API server, so that two can be compared in one run.
// It reads a kubeconfig in JSON: kubectl config view --raw --minify -o json > kc.json
package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

type kubeconfig struct {
	Clusters []struct {
		Cluster struct {
			Server string `json:"server"`
			CA     string `json:"certificate-authority-data"`
			CAFile string `json:"certificate-authority"`
			Skip   bool   `json:"insecure-skip-tls-verify"`
		} `json:"cluster"`
	} `json:"clusters"`
	Users []struct {
		User struct {
			Cert     string `json:"client-certificate-data"`
			Key      string `json:"client-key-data"`
			CertFile string `json:"client-certificate"`
			KeyFile  string `json:"client-key"`
			Token    string `json:"token"`
		} `json:"user"`
	} `json:"users"`
}

func die(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "kload:", err)
		os.Exit(1)
	}
}

func bytesOf(data, file string) []byte {
	if data != "" {
		b, err := base64.StdEncoding.DecodeString(data)
		die(err)
		return b
	}
	if file != "" {
		b, err := os.ReadFile(file)
		die(err)
		return b
	}
	return nil
}

var (
	kc      = flag.String("kubeconfig", "kc.json", "kubeconfig in JSON")
	n       = flag.Int("n", 1000, "operations")
	c       = flag.Int("c", 1, "workers")
	size    = flag.Int("size", 1024, "bytes of data in an object")
	ns      = flag.String("ns", "default", "namespace")
	prefix  = flag.String("prefix", "kl", "object name prefix")
	h1      = flag.Bool("http1", false, "HTTP/1.1 with one connection per worker")
	conns   = flag.Int("conns", 4, "HTTP/2 connections")
	watches = flag.Int("watches", 1, "concurrent watches")
	kind    = flag.String("kind", "configmaps", "configmaps or pods")
	limit   = flag.Int("limit", 0, "page size of list")
	query   = flag.String("query", "", "extra query of list")
)

var server, token string
var clients []*http.Client

func setup() {
	raw, err := os.ReadFile(*kc)
	die(err)
	var k kubeconfig
	die(json.Unmarshal(raw, &k))
	cl, u := k.Clusters[0].Cluster, k.Users[0].User
	server, token = strings.TrimSuffix(cl.Server, "/"), u.Token
	conf := &tls.Config{InsecureSkipVerify: cl.Skip}
	if ca := bytesOf(cl.CA, cl.CAFile); ca != nil {
		conf.RootCAs = x509.NewCertPool()
		conf.RootCAs.AppendCertsFromPEM(ca)
	}
	if cert := bytesOf(u.Cert, u.CertFile); cert != nil {
		p, err := tls.X509KeyPair(cert, bytesOf(u.Key, u.KeyFile))
		die(err)
		conf.Certificates = []tls.Certificate{p}
	}
	m := *conns
	if *h1 {
		m = 1
	}
	for i := 0; i < m; i++ {
		t := &http.Transport{TLSClientConfig: conf.Clone(), MaxIdleConnsPerHost: *c, ForceAttemptHTTP2: !*h1, DisableCompression: true}
		clients = append(clients, &http.Client{Transport: t})
	}
}

func do(i int, method, path, ctype string, body []byte) (int, []byte) {
	req, err := http.NewRequest(method, server+path, bytes.NewReader(body))
	die(err)
	if ctype != "" {
		req.Header.Set("Content-Type", ctype)
	}
	req.Header.Set("Accept", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := clients[i%len(clients)].Do(req)
	die(err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	die(err)
	return res.StatusCode, b
}

func body(name string) []byte {
	if *kind == "pods" {
		return []byte(fmt.Sprintf(`{"apiVersion":"v1","kind":"Pod","metadata":{"name":%q,"namespace":%q,"labels":{"app":"load","tier":"t%d"}},"spec":{"containers":[{"name":"c","image":"registry/x:1","env":[{"name":"A","value":"b"}],"resources":{"requests":{"cpu":"10m","memory":"16Mi"}}}]}}`, name, *ns, len(name)%7))
	}
	return []byte(fmt.Sprintf(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":%q,"namespace":%q,"labels":{"app":"load"}},"data":{"k":%q}}`, name, *ns, strings.Repeat("x", *size)))
}

func path(name string) string {
	p := "/api/v1/namespaces/" + *ns + "/" + *kind
	if name != "" {
		p += "/" + name
	}
	return p
}

func report(what string, count int, wall time.Duration, lat []time.Duration, extra string) {
	sort.Slice(lat, func(i, j int) bool { return lat[i] < lat[j] })
	p := func(q float64) time.Duration {
		if len(lat) == 0 {
			return 0
		}
		return lat[int(q*float64(len(lat)-1))]
	}
	fmt.Printf("%s n=%d c=%d rate=%.0f/s p50=%v p99=%v max=%v %s\n", what, count, *c, float64(count)/wall.Seconds(),
		p(.5).Round(time.Microsecond), p(.99).Round(time.Microsecond), p(1).Round(time.Microsecond), extra)
}

func each(what string, op func(w, i int)) {
	var next int64 = -1
	lats := make([][]time.Duration, *c)
	var wg sync.WaitGroup
	start := time.Now()
	for w := 0; w < *c; w++ {
		wg.Add(1)
		go func(w int) {
			defer wg.Done()
			for {
				i := int(atomic.AddInt64(&next, 1))
				if i >= *n {
					return
				}
				t := time.Now()
				op(w, i)
				lats[w] = append(lats[w], time.Since(t))
			}
		}(w)
	}
	wg.Wait()
	wall := time.Since(start)
	var all []time.Duration
	for _, l := range lats {
		all = append(all, l...)
	}
	report(what, *n, wall, all, "")
}

func must(code int, want int, b []byte) {
	if code != want {
		die(fmt.Errorf("answer %d, expected %d: %.300s", code, want, b))
	}
}

func main() {
	if len(os.Args) < 2 {
		die(fmt.Errorf("kload create|get|update|delete|list|watch|replay|ready [flags]"))
	}
	mode := os.Args[1]
	die(flag.CommandLine.Parse(os.Args[2:]))
	setup()
	name := func(i int) string { return fmt.Sprintf("%s-%07d", *prefix, i) }
	switch mode {
	case "create":
		each(mode, func(w, i int) {
			code, b := do(w, "POST", path(""), "application/json", body(name(i)))
			must(code, 201, b)
		})
	case "get":
		each(mode, func(w, i int) {
			code, b := do(w, "GET", path(name(i)), "", nil)
			must(code, 200, b)
		})
	case "update":
		each(mode, func(w, i int) {
			code, b := do(w, "PATCH", path(name(i)), "application/merge-patch+json", []byte(fmt.Sprintf(`{"metadata":{"annotations":{"t":"%d"}}}`, time.Now().UnixNano())))
			must(code, 200, b)
		})
	case "delete":
		each(mode, func(w, i int) {
			code, b := do(w, "DELETE", path(name(i)), "", nil)
			must(code, 200, b)
		})
	case "list":
		var lat []time.Duration
		var total, items int
		start := time.Now()
		for i := 0; i < *n; i++ {
			t := time.Now()
			cont := ""
			total, items = 0, 0
			for {
				q := fmt.Sprintf("?limit=%d&continue=%s&%s", *limit, cont, *query)
				code, b := do(0, "GET", path("")+q, "", nil)
				must(code, 200, b)
				total += len(b)
				items += bytes.Count(b, []byte(`"uid":`))
				cont = ""
				if *limit > 0 {
					var l struct {
						Metadata struct {
							Continue string `json:"continue"`
						} `json:"metadata"`
					}
					die(json.Unmarshal(b, &l))
					cont = l.Metadata.Continue
				}
				if cont == "" {
					break
				}
			}
			lat = append(lat, time.Since(t))
		}
		report(mode, *n, time.Since(start), lat, fmt.Sprintf("bytes=%d items=%d", total, items))
	case "watch":
		// writes carry the time of sending; each watch notes how late it sees them
		var lat []time.Duration
		var mu sync.Mutex
		var wg, ready sync.WaitGroup
		for w := 0; w < *watches; w++ {
			wg.Add(1)
			ready.Add(1)
			go func(w int) {
				defer wg.Done()
				req, err := http.NewRequest("GET", server+path("")+"?watch=true&labelSelector=app%3Dwl-"+*prefix, nil)
				die(err)
				if token != "" {
					req.Header.Set("Authorization", "Bearer "+token)
				}
				res, err := clients[w%len(clients)].Do(req)
				die(err)
				must(res.StatusCode, 200, nil)
				ready.Done()
				r := bufio.NewReaderSize(res.Body, 1<<20)
				for seen := 0; seen < *n; {
					line, err := r.ReadBytes('\n')
					die(err)
					now := time.Now().UnixNano()
					at := bytes.Index(line, []byte(`"sent":"`))
					if at < 0 || !bytes.Contains(line[:40], []byte("ADDED")) {
						continue
					}
					var ts int64
					fmt.Sscanf(string(line[at+8:at+30]), "%d", &ts)
					mu.Lock()
					lat = append(lat, time.Duration(now-ts))
					mu.Unlock()
					seen++
				}
				res.Body.Close()
			}(w)
		}
		ready.Wait()
		start := time.Now()
		for i := 0; i < *n; i++ {
			b := fmt.Sprintf(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":%q,"labels":{"app":"wl-%s"}},"data":{"sent":"%d"}}`, name(i)+"-w", *prefix, time.Now().UnixNano())
			code, rb := do(0, "POST", "/api/v1/namespaces/"+*ns+"/configmaps", "application/json", []byte(b))
			must(code, 201, rb)
		}
		wg.Wait()
		report(mode, *n, time.Since(start), lat, fmt.Sprintf("watches=%d", *watches))
	case "replay":
		// writes first, then reads all of them as events from where it began; only the reading is timed
		_, b := do(0, "GET", path("")+"?limit=1", "", nil)
		var l struct {
			Metadata struct {
				Version string `json:"resourceVersion"`
			} `json:"metadata"`
		}
		die(json.Unmarshal(b, &l))
		each("create", func(w, i int) {
			code, b := do(w, "POST", path(""), "application/json", body(name(i)))
			must(code, 201, b)
		})
		start := time.Now()
		req, err := http.NewRequest("GET", server+path("")+"?watch=true&resourceVersion="+l.Metadata.Version, nil)
		die(err)
		if token != "" {
			req.Header.Set("Authorization", "Bearer "+token)
		}
		res, err := clients[0].Do(req)
		die(err)
		must(res.StatusCode, 200, nil)
		r := bufio.NewReaderSize(res.Body, 1<<20)
		for seen := 0; seen < *n; seen++ {
			line, err := r.ReadBytes('\n')
			die(err)
			if !bytes.Contains(line[:40], []byte("ADDED")) {
				die(fmt.Errorf("event %d of the replay is %.100s", seen, line))
			}
		}
		wall := time.Since(start)
		res.Body.Close()
		report(mode, *n, wall, []time.Duration{wall}, "")
	case "ready":
		// how long until /readyz answers ok, polled every 2 ms
		start := time.Now()
		for time.Since(start) < 120*time.Second {
			req, _ := http.NewRequest("GET", server+"/readyz", nil)
			if token != "" {
				req.Header.Set("Authorization", "Bearer "+token)
			}
			res, err := clients[0].Do(req)
			if err == nil {
				res.Body.Close()
				if res.StatusCode == 200 {
					fmt.Printf("ready after %v\n", time.Since(start).Round(time.Millisecond))
					return
				}
			}
			time.Sleep(2 * time.Millisecond)
		}
		die(fmt.Errorf("not ready in 120 s"))
	default:
		die(fmt.Errorf("unknown mode %q", mode))
	}
}
