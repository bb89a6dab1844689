// Copyright The Assay Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	assayv1alpha1 "github.com/assay-project/assay/api/v1alpha1"
)

// authority is a certificate authority of the tests.
type authority struct {
	f           *fixture
	key         *ecdsa.PrivateKey
	certificate *x509.Certificate
}

func newAuthority(f *fixture) *authority {
	f.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: f.name}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		f.Fatal(err)
	}
	a := &authority{f: f, key: key}
	if a.certificate, err = x509.ParseCertificate(der); err != nil {
		f.Fatal(err)
	}
	return a
}

// issue returns a certificate for a server.
func (a *authority) issue(change func(*x509.Certificate)) *tls.Certificate {
	a.f.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.f.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), DNSNames: []string{"registry.example.com"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	change(template)
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	if err != nil {
		a.f.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// bundle is the authority in PEM.
func (a *authority) bundle() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.certificate.Raw}))
}

// listen starts a registry of the test on TLS or without it, whose settings for TLS may change.
func (f *fixture) listen(settings *atomic.Pointer[tls.Config]) *registryServer {
	f.Helper()
	s := &registryServer{f: f, answers: map[string]http.HandlerFunc{}}
	s.Server = httptest.NewUnstartedServer(s)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	if settings == nil {
		s.Start()
	} else {
		s.TLS = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return settings.Load(), nil }}
		s.StartTLS()
	}
	f.Cleanup(s.Close)
	_, s.port, _ = net.SplitHostPort(s.Listener.Addr().String())
	return s
}

// unchanged leaves a certificate as it is.
func unchanged(*x509.Certificate) {}

// TestImportCertificates checks what an Image and its RegistryConfig say of a registry whose
// certificate or protocol is not accepted, that nothing is sent to it, and that the Image is verified
// once the registry has a good one.
func TestImportCertificates(t *testing.T) {
	for name, tt := range map[string]struct {
		change   func(*x509.Certificate)
		stranger bool // Another authority has issued it.
		version  uint16
		message  string
	}{
		"expired": {change: func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }, message: "it has expired, or is not valid yet"},
		"early":   {change: func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) }, message: "it has expired, or is not valid yet"},
		"host":    {change: func(c *x509.Certificate) { c.DNSNames = []string{"mirror.example.com"} }, message: "it is for another host"},
		"unknown": {stranger: true, message: "it is signed by an unknown authority"},
		"old":     {version: tls.VersionTLS11, message: "does not answer by TLS as it should"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			a := newAuthority(f)
			issuer, change := a, unchanged
			if tt.stranger {
				issuer = newAuthority(f)
			}
			if tt.change != nil {
				change = tt.change
			}
			var settings atomic.Pointer[tls.Config]
			settings.Store(&tls.Config{Certificates: []tls.Certificate{*issuer.issue(change)}, MaxVersion: tt.version})
			s := f.listen(&settings)
			release := newSigner("release")
			d := s.serveManifest(ociManifest, testManifest)
			s.serveExtension(d, release.sign(d, s.repository()+":v1"))
			f.create(a.configMap(), s.config(), s.policy(release), s.importing(d))
			f.wantTLSError(s, tt.message)
			if n := s.seen("/"); n != 0 {
				t.Errorf("%d requests: %q", n, s.requests)
			}
			settings.Store(&tls.Config{Certificates: []tls.Certificate{*a.issue(unchanged)}})
			f.verdict(f.name, metav1.ConditionTrue, assayv1alpha1.ReasonVerified)
			f.configReady(metav1.ConditionTrue, assayv1alpha1.ReasonReachable)
		})
	}
}

// configMap returns the ConfigMap of the test's RegistryConfig, with the authority behind another.
func (a *authority) configMap() *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: testNamespace, Name: a.f.name + "-ca"},
		Data:       map[string]string{"ca.crt": newAuthority(a.f).bundle() + a.bundle()},
	}
}

// wantTLSError waits until the test's Image and RegistryConfig say what is wrong with the registry.
func (f *fixture) wantTLSError(s *registryServer, message string) {
	f.Helper()
	f.eventually("what is wrong with the registry", func() (bool, string) {
		store := f.imported(metav1.ConditionFalse, assayv1alpha1.ReasonStoreUnavailable).Status.Import.Stores[0]
		ready := f.configReady(metav1.ConditionFalse, assayv1alpha1.ReasonTLSError).Status.Conditions[0]
		told := store.Result == assayv1alpha1.ReasonTLSError
		for _, text := range []string{store.Message, ready.Message} {
			told = told && strings.Contains(text, s.host()) && strings.Contains(text, message)
		}
		return told, fmt.Sprintf("%+v, %s", store, ready.Message)
	})
	f.verdict(f.name, metav1.ConditionUnknown, assayv1alpha1.ReasonSignaturesUnavailable)
}

// TestImportWithoutTLS checks that a registry without TLS is not spoken to unless its RegistryConfig
// says so.
func TestImportWithoutTLS(t *testing.T) {
	f := newFixture(t)
	s := f.listen(nil)
	release := newSigner("release")
	d := s.serveManifest(ociManifest, testManifest)
	s.serveExtension(d, release.sign(d, s.repository()+":v1"))
	config := s.config()
	config.Spec.CertificateAuthorities = nil
	f.create(config, s.policy(release), s.importing(d))
	f.wantTLSError(s, "does not answer by TLS as it should")
	if n := s.seen("/"); n != 0 {
		t.Errorf("%d requests: %q", n, s.requests)
	}
	update(f, config, func(c *assayv1alpha1.RegistryConfig) { c.Spec.Insecure = true })
	f.verdict(f.name, metav1.ConditionTrue, assayv1alpha1.ReasonVerified)
	f.configReady(metav1.ConditionTrue, assayv1alpha1.ReasonReachable)
}

// TestImportAuthorities checks that a registry of an own authority is refused until its
// RegistryConfig has a ConfigMap with it, and that one that is no certificate is told.
func TestImportAuthorities(t *testing.T) {
	f := newFixture(t)
	a := newAuthority(f)
	var settings atomic.Pointer[tls.Config]
	settings.Store(&tls.Config{Certificates: []tls.Certificate{*a.issue(unchanged)}})
	s := f.listen(&settings)
	release := newSigner("release")
	d := s.serveManifest(ociManifest, testManifest)
	s.serveExtension(d, release.sign(d, s.repository()+":v1"))
	object := a.configMap()
	object.Data = map[string]string{"ca.crt": "-----BEGIN CERTIFICATE-----\ncanary\n-----END CERTIFICATE-----\n"}
	f.create(object, s.config(), s.policy(release), s.importing(d))
	f.imported(metav1.ConditionFalse, assayv1alpha1.ReasonStoreUnavailable)
	config := f.configReady(metav1.ConditionFalse, assayv1alpha1.ReasonInvalidConfig)
	if m := meta.FindStatusCondition(config.Status.Conditions, assayv1alpha1.ReadyCondition).Message; !strings.Contains(m, "has no certificate in PEM") || strings.Contains(m, "canary") {
		t.Errorf("message %q", m)
	}
	update(f, object, func(object *corev1.ConfigMap) { object.Data = newAuthority(f).configMap().Data })
	f.wantTLSError(s, "it is signed by an unknown authority")
	update(f, object, func(object *corev1.ConfigMap) { object.Data = a.configMap().Data })
	f.verdict(f.name, metav1.ConditionTrue, assayv1alpha1.ReasonVerified)
	f.configReady(metav1.ConditionTrue, assayv1alpha1.ReasonReachable)
}
