# Tidegate on Bun with the shipped model. Builds anywhere a Debian and a Node image can be pulled:
#
#   docker build -t tidegate .
#   docker run -p 8000:8000 -e TIDEGATE_API_KEY=a-long-secret tidegate
#
# Where no image can be pulled, scripts/container.sh makes both base images itself and gives them as arguments.
ARG BASE=docker.io/library/debian:12-slim
ARG NODE=docker.io/library/node:24-slim

# Packages at the versions of the lock, without development tools and without install scripts.
FROM ${NODE} AS packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund \
 # Runtimes for the test suite, and the libraries of other systems.
 && rm -rf node_modules/@deno node_modules/node-linux-* node_modules/.bin \
 && cd node_modules/onnxruntime-node/bin/napi-v6 \
 && arch="$(node -p process.arch)" \
 && find . -mindepth 2 -maxdepth 2 -type d ! -path "./linux/$arch" -exec rm -rf {} +
# Bun at the version that the suite runs on; its package holds the binary itself.
RUN mkdir /bun && cd /bun \
 && version="$(node -p "require('/app/package.json').devDependencies.bun")" \
 && npm install --ignore-scripts --no-audit --no-fund "bun@$version" \
 && set -- node_modules/@oven/bun-linux-*/bin/bun \
 && install -m 0755 "$1" /bun/bun

FROM ${BASE}
LABEL org.opencontainers.image.title="tidegate" org.opencontainers.image.licenses="Apache-2.0"
RUN useradd --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin tidegate
WORKDIR /app
COPY --from=packages /bun/bun /usr/local/bin/bun
COPY --from=packages /app/node_modules ./node_modules
COPY package.json ./
COPY openapi ./openapi
COPY models/tide-nano ./models/tide-nano
COPY routes ./routes
COPY src ./src
COPY deploy/healthcheck.ts ./deploy/healthcheck.ts
# By number, so that an orchestrator can see that it is not root.
USER 10001:10001
# A container is reached from outside: without TIDEGATE_API_KEY the program refuses to start and says how to go on.
ENV TIDEGATE_HOST=0.0.0.0 TIDEGATE_PORT=8000 NODE_ENV=production
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["bun", "run", "/app/deploy/healthcheck.ts"]
ENTRYPOINT ["bun", "run", "/app/src/cli/main.ts"]
CMD ["serve"]
