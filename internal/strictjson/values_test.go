// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package strictjson_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-project/assay/internal/strictjson"
)

// values is what TestValues reads: a member of each kind.
type values struct {
	Text   string
	Data   []byte
	Number int64
	List   []string
}

func readValues(d *strictjson.Decoder, v *values, object func(strictjson.Fields) error) error {
	return object(strictjson.Fields{
		"text": func() (err error) {
			v.Text, err = d.String()
			return err
		},
		"data": func() (err error) {
			v.Data, err = d.Base64()
			return err
		},
		"lines": func() (err error) {
			v.Data, err = d.Base64Lines()
			return err
		},
		"number": func() (err error) {
			v.Number, err = d.Integer()
			return err
		},
		"list": func() error {
			return d.Elements(2, func() error {
				element, err := d.String()
				v.List = append(v.List, element)
				return err
			})
		},
	})
}

func TestValues(t *testing.T) {
	tests := map[string]struct {
		document string
		want     values
		known    string // part of the error of Known, empty for none
		some     string // part of the error of Some, empty for none
	}{
		"all":               {`{"text":"a","data":"AAE=","number":-7,"list":["x","y"]}`, values{Text: "a", Data: []byte{0, 1}, Number: -7, List: []string{"x", "y"}}, "", ""},
		"escapes":           {`{"data":"AA\u0045\u003d"}`, values{Data: []byte{0, 1}}, "", ""},
		"null":              {`{"text":null,"data":null,"number":null,"list":null}`, values{}, "", ""},
		"number in text":    {`{"number":"9223372036854775807"}`, values{Number: 9223372036854775807}, "", ""},
		"data in lines":     {`{"data":"AA\nE=\n"}`, values{}, "not base64", "not base64"},
		"lines":             {`{"lines":"AA\nE=\n"}`, values{Data: []byte{0, 1}}, "", ""},
		"lines are no text": {`{"lines":1}`, values{}, "a string should be", "a string should be"},
		"unknown":           {`{"other":[1,{}],"text":"a"}`, values{Text: "a"}, "unknown member", ""},
		"unknown is bad":    {`{"other":[1,{]}`, values{}, "unknown member", "a string"},
		"duplicate":         {`{"text":"a","text":"b"}`, values{}, "duplicate", "duplicate"},
		"duplicate null":    {`{"text":null,"text":"b"}`, values{}, "duplicate", "duplicate"},
		"nul":               {`{"text":nul}`, values{}, "malformed", "malformed"},
		"no object":         {`[]`, values{}, "an object should be", "an object should be"},
		"long list":         {`{"list":["x","y","z"]}`, values{}, "more than 2", "more than 2"},
		"not base64":        {`{"data":"*"}`, values{}, "not base64", "not base64"},
		"other spelling":    {`{"data":"AAF="}`, values{}, "not base64", "not base64"},
		"no padding":        {`{"data":"AAE"}`, values{}, "not base64", "not base64"},
		"data is number":    {`{"data":1}`, values{}, "a string should be", "a string should be"},
		"fraction":          {`{"number":1.0}`, values{}, "not an integer", "not an integer"},
		"leading zero":      {`{"number":"01"}`, values{}, "not an integer", "not an integer"},
		"too large":         {`{"number":9223372036854775808}`, values{}, "not an integer", "not an integer"},
		"minus zero":        {`{"number":-0}`, values{}, "not an integer", "not an integer"},
		"number is object":  {`{"number":{}}`, values{}, "a number should be", "a number should be"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for kind, want := range map[string]string{"Known": test.known, "Some": test.some} {
				var got values
				err := strictjson.Parse([]byte(test.document), testLimits, func(d *strictjson.Decoder) error {
					if kind == "Known" {
						return readValues(d, &got, d.Known)
					}
					return readValues(d, &got, d.Some)
				})
				if want != "" {
					if err == nil || !strings.Contains(err.Error(), want) {
						t.Errorf("%s: %v, want %q", kind, err, want)
					}
					continue
				}
				if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
					t.Errorf("%s: %v\n%s", kind, err, diff)
				}
			}
		})
	}
}
