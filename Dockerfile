# One image for every process: docker build --build-arg SERVICE=services/backup-service .
# It keeps the layout of the workspace: Node runs the TypeScript as it is, and refuses files whose real path lies in
# node_modules, which is where `pnpm deploy` would put our packages.
FROM node:26-bookworm-slim
ARG SERVICE
WORKDIR /tidemark

RUN apt-get update \
  && apt-get install -y --no-install-recommends tini \
  && rm -rf /var/lib/apt/lists/* \
  && npm install --global pnpm@10.34.9

COPY package.json pnpm-lock.yaml pnpm-workspace.yaml ./
COPY packages packages
COPY services services
COPY gateway gateway
# The workspace names its tests; their dependencies are not wanted here.
COPY test/package.json test/package.json
RUN pnpm install --prod --no-optional --frozen-lockfile --filter "{./${SERVICE}}..."

# TypeScript is stripped at the first start only.
ENV NODE_COMPILE_CACHE=/tidemark/.cache SERVICE=${SERVICE} NODE_ENV=production
RUN mkdir -p .cache /var/lib/tidemark && chown -R node .cache /var/lib/tidemark

USER node
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.TIDEMARK_OPERATIONS_PORT}/livez`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
# tini collects what br leaves behind and passes signals on.
ENTRYPOINT ["/usr/bin/tini", "--", "sh", "-c", "exec node \"$SERVICE/src/main.ts\""]
