// SPDX-License-Identifier: Apache-2.0

// Prints how the published Go types hold each field of a schema: one of the facts that compact.py reads.
//
//	go mod init presence && go get k8s.io/client-go@v0.35.4 k8s.io/apiextensions-apiserver@v0.35.4 k8s.io/kube-aggregator@v0.35.4
//	go mod tidy && go run . > presence.json
package main

import (
	"encoding/json"
	"os"
	"reflect"
	"strings"

	apiext "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	apireg "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
)

var out = map[string]map[string]string{}

func name(t reflect.Type) string {
	p := t.PkgPath()
	p = strings.Replace(p, "k8s.io/", "io.k8s.", 1)
	return strings.ReplaceAll(strings.ReplaceAll(p, "/", "."), "io.k8s.", "io.k8s.") + "." + t.Name()
}

func walk(t reflect.Type) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || !strings.HasPrefix(t.PkgPath(), "k8s.io/") {
		return
	}
	n := name(t)
	if _, ok := out[n]; ok {
		return
	}
	m := map[string]string{}
	out[n] = m
	fields(t, m)
}

func fields(t reflect.Type, m map[string]string) {
	for i := 0; i < t.NumField(); i++ {
		f := t.Field(i)
		tag, ok := f.Tag.Lookup("json")
		if !ok {
			continue
		}
		parts := strings.Split(tag, ",")
		inline := false
		empty, zero := false, false
		for _, p := range parts[1:] {
			switch p {
			case "inline":
				inline = true
			case "omitempty":
				empty = true
			case "omitzero":
				zero = true
			}
		}
		if inline || (parts[0] == "" && f.Anonymous) {
			ft := f.Type
			if ft.Kind() == reflect.Pointer {
				ft = ft.Elem()
			}
			fields(ft, m)
			continue
		}
		if parts[0] == "-" {
			continue
		}
		k := ""
		switch f.Type.Kind() {
		case reflect.Pointer:
			k = "*"
		case reflect.Slice:
			k = "[]"
		case reflect.Map:
			k = "map"
		case reflect.Struct:
			k = "struct"
		default:
			k = "value"
		}
		if empty {
			k += " omitempty"
		}
		if zero {
			k += " omitzero"
		}
		m[parts[0]] = k
		walk(f.Type)
	}
}

func main() {
	s := scheme.Scheme
	_ = apiext.AddToScheme(s)
	_ = apireg.AddToScheme(s)
	for gvk, t := range s.AllKnownTypes() {
		if gvk.Version == runtime.APIVersionInternal {
			continue
		}
		walk(t)
	}
	walk(reflect.TypeOf(metav1.Status{}))
	b, _ := json.Marshal(out)
	os.Stdout.Write(b)
}
