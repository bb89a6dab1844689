// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package imagejson

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	imagev1 "github.com/assay-project/assay/api/image/v1"
)

var statusMembers = []string{"observedGeneration", "conditions", "verified", "reason", "digest", "signatureSummary", "lastHandledRecheckRequest", "policies"}

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
