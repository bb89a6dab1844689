# syntax=docker/dockerfile:1
# Copyright The Assay Authors.
# SPDX-License-Identifier: Apache-2.0

# The operator and the commands, as one static program on an empty system.
#
#   docker build --build-arg VERSION=v0.1.0 -t assay:v0.1.0 .

ARG BASE=scratch

# The compiler runs on the builder's own platform and makes programs for the target's.
FROM --platform=$BUILDPLATFORM golang:1.26 AS build
ARG TARGETOS
ARG TARGETARCH
ARG VERSION=unknown
WORKDIR /src

# The modules change less often than the source, and this layer with them.
COPY go.mod go.sum ./
RUN go mod download

COPY main.go ./
COPY api/ api/
COPY controllers/ controllers/
COPY internal/ internal/

# The same source gives the same bytes: no paths, no VCS state, no build ID.
RUN CGO_ENABLED=0 GOOS=${TARGETOS:-linux} GOARCH=${TARGETARCH} \
    go build -trimpath -buildvcs=false \
    -ldflags "-s -w -buildid= -X github.com/assay-project/assay/internal/cli.stampedVersion=${VERSION}" \
    -o /assay .

# The program is static and asks for nothing, so that an empty image is enough; BASE may
# name another, such as a distroless one.
FROM ${BASE}
ARG VERSION=unknown
LABEL org.opencontainers.image.title="assay" \
      org.opencontainers.image.description="Verifies the GPG signatures of container images and records the verdicts" \
      org.opencontainers.image.source="https://github.com/assay-project/assay" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"
COPY --from=build /assay /assay
COPY LICENSE /licenses/LICENSE
USER 65532:65532
ENTRYPOINT ["/assay"]
