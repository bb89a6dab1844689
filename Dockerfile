# syntax=docker/dockerfile:1
# Copyright The Assay Authors.
# SPDX-License-Identifier: Apache-2.0

# The operator and the commands, as one static program on an empty system.
#
#   docker build --build-arg VERSION=v0.1.0 -t assay:v0.1.0 .
#
# hack/release/image follows this file where there is no builder: it takes the compiler's
# flags and what is in the image from here, and refuses an instruction it does not know.

# The builder says where images come from, and no registry is named here: both
# bases are arguments. BASE may be distroless static, in its nonroot form; that adds a CA
# bundle, time zones and a user's name to what is below. The program needs none of them,
# as it calls only the API server, whose CA it is given, and the user is a number. So the
# default is the smallest system there is, and the one that needs no trust in others.
ARG BUILDER=golang:1.26
ARG BASE=scratch

# The compiler runs on the builder's own platform and makes programs for the target's.
FROM --platform=$BUILDPLATFORM ${BUILDER} AS build
WORKDIR /src

# The modules change less often than the source, and this layer with them.
COPY go.mod go.sum ./
RUN go mod download

COPY main.go ./
COPY api/ api/
COPY controllers/ controllers/
COPY internal/ internal/

# Declared here, so that another version leaves the layers above as they are. The builder
# sets the target's; a default would take their place, and empty is the builder's own.
ARG TARGETOS
ARG TARGETARCH
ARG VERSION=unknown

# The same source gives the same bytes: no paths, no VCS state, no build ID.
RUN CGO_ENABLED=0 GOOS=${TARGETOS} GOARCH=${TARGETARCH} \
    go build -trimpath -buildvcs=false \
    -ldflags "-s -w -buildid= -X github.com/assay-project/assay/internal/cli.stampedVersion=${VERSION}" \
    -o /assay .

FROM ${BASE}
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="assay" \
      org.opencontainers.image.description="Verifies the GPG signatures of container images and records the verdicts" \
      org.opencontainers.image.source="https://github.com/assay-project/assay" \
      org.opencontainers.image.documentation="https://github.com/assay-project/assay/tree/main/docs" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /assay /assay
COPY LICENSE /licenses/LICENSE
# Numbers, so that the kubelet can tell that it is not root. Nothing is written at run time:
# the root file system may be read-only.
USER 65532:65532
ENTRYPOINT ["/assay"]
