// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package imagejson

import (
	"math"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	imagev1 "github.com/assay-project/assay/api/image/v1"
)

var statusMembers = []string{
	"observedGeneration", "conditions", "verified", "reason", "digest", "signatureSummary",
	"lastHandledRecheckRequest", "policies", "import", "unusedSince", "tags",
}

// status reads the status of an Image. One that cannot be read is empty and no fault: it is
// output only, and what Assay writes takes its place.
func (d *decoder) status(field string) imagev1.ImageStatus {
	var status imagev1.ImageStatus
	d.section(MaxStatus, Fault{Kind: Undecodable, Field: field})
	d.object(field, statusMembers, func(i int) {
		switch name := statusMembers[i]; name {
		case "observedGeneration":
			status.ObservedGeneration = d.integer(name)
		case "conditions":
			status.Conditions = d.conditions(name)
		case "verified":
			status.Verified = metav1.ConditionStatus(d.sharedString(name))
		case "reason":
			status.Reason = d.sharedString(name)
		case "digest":
			status.Digest = d.string(name)
		case "signatureSummary":
			status.SignatureSummary = d.sharedString(name)
		case "lastHandledRecheckRequest":
			status.LastHandledRecheckRequest = d.string(name)
		case "policies":
			status.Policies = d.policies(name)
		case "import":
			status.Import = d.imported(name)
		case "unusedSince":
			if t, ok := d.writableTime(name); ok {
				status.UnusedSince = &t
			}
		case "tags":
			status.Tags = d.tags(name)
		}
	})
	if d.fault != nil {
		d.fault = nil
		return imagev1.ImageStatus{}
	}
	return status
}

var conditionMembers = []string{"type", "status", "observedGeneration", "lastTransitionTime", "reason", "message"}

func (d *decoder) conditions(field string) []metav1.Condition {
	return list(&d.reader, field, func(c *metav1.Condition) {
		d.object("", conditionMembers, func(i int) {
			switch name := conditionMembers[i]; name {
			case "type":
				c.Type = d.sharedString(name)
			case "status":
				c.Status = metav1.ConditionStatus(d.sharedString(name))
			case "observedGeneration":
				c.ObservedGeneration = d.integer(name)
			case "lastTransitionTime":
				c.LastTransitionTime, _ = d.writableTime(name)
			case "reason":
				c.Reason = d.sharedString(name)
			case "message":
				c.Message = d.sharedString(name)
			}
		})
	})
}

var policyMembers = []string{"name", "scope", "status"}

func (d *decoder) policies(field string) []imagev1.AppliedPolicy {
	return list(&d.reader, field, func(p *imagev1.AppliedPolicy) {
		d.object("", policyMembers, func(i int) {
			switch name := policyMembers[i]; name {
			case "name":
				p.Name = d.sharedString(name)
			case "scope":
				p.Scope = d.sharedString(name)
			case "status":
				p.Status = metav1.ConditionStatus(d.sharedString(name))
			}
		})
	})
}

var importMembers = []string{"result", "lastTime", "configuration", "lastHandledRecheckRequest", "stores"}

func (d *decoder) imported(field string) *imagev1.ImageImport {
	var in imagev1.ImageImport
	present := d.object(field, importMembers, func(i int) {
		switch name := importMembers[i]; name {
		case "result":
			in.Result = d.sharedString(name)
		case "lastTime":
			in.LastTime, _ = d.writableTime(name)
		case "configuration":
			in.Configuration = d.sharedString(name)
		case "lastHandledRecheckRequest":
			in.LastHandledRecheckRequest = d.string(name)
		case "stores":
			in.Stores = d.stores(name)
		}
	})
	if !present {
		return nil
	}
	return &in
}

var storeMembers = []string{"url", "result", "signatures", "message"}

func (d *decoder) stores(field string) []imagev1.ImportStore {
	var stores []imagev1.ImportStore
	present := d.array(field, func() {
		var s imagev1.ImportStore
		d.charge(elementCost)
		if d.broken() {
			return
		}
		d.object("", storeMembers, func(i int) {
			switch name := storeMembers[i]; name {
			case "url":
				s.URL = d.sharedString(name)
			case "result":
				s.Result = d.sharedString(name)
			case "signatures":
				n := d.integer(name)
				if n < math.MinInt32 || n > math.MaxInt32 {
					d.fail(name, "the number is too large")
					return
				}
				s.Signatures = int32(n)
			case "message":
				s.Message = d.sharedString(name)
			}
		})
		stores = append(stores, s)
	})
	if present && stores == nil {
		return []imagev1.ImportStore{}
	}
	return stores
}

var tagMembers = []string{"name"}

func (d *decoder) tags(field string) []imagev1.ImageTag {
	var tags []imagev1.ImageTag
	present := d.array(field, func() {
		var t imagev1.ImageTag
		d.charge(elementCost)
		if d.broken() {
			return
		}
		d.object("", tagMembers, func(int) { t.Name = d.sharedString("name") })
		tags = append(tags, t)
	})
	if present && tags == nil {
		return []imagev1.ImageTag{}
	}
	return tags
}
