# One image for every process: docker build --build-arg SERVICE=services/backup-service .
# It keeps the layout of the workspace: Node runs the TypeScript as it is, and refuses files whose real path lies in
# node_modules, which is where `pnpm deploy` would put our packages.
ARG BASE=node:26-trixie-slim
FROM ${BASE} AS console
WORKDIR /tidemark
RUN npm install --global pnpm@10.34.9
COPY package.json pnpm-lock.yaml pnpm-workspace.yaml tsconfig.json ./
COPY packages packages
COPY gateway/console gateway/console
# With what is optional: the program that builds is among that.
RUN pnpm install --frozen-lockfile --filter "{./gateway/console}..."
RUN node gateway/console/build.mjs

# The command line as one file, which needs nothing else.
FROM ${BASE} AS cli
WORKDIR /tidemark
RUN npm install --global pnpm@10.34.9
COPY package.json pnpm-lock.yaml pnpm-workspace.yaml ./
COPY packages packages
COPY cli cli
COPY scripts scripts
COPY gateway/package.json gateway/package.json
COPY gateway/console/package.json gateway/console/package.json
COPY test/package.json test/package.json
RUN pnpm install --frozen-lockfile --filter "{./cli}..." && node scripts/bundle-cli.mjs

FROM ${BASE}
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
# The workspace names its command line and its tests; their dependencies are not wanted here.
COPY cli/package.json cli/package.json
COPY test/package.json test/package.json
COPY --from=console /tidemark/gateway/console/dist gateway/console/dist
# The braces make the dots mean what the folder's package depends on; without them nothing of that is installed.
RUN pnpm install --prod --no-optional --frozen-lockfile --filter "{./${SERVICE}}..."
RUN install -d -o node /tidemark/.cache /var/lib/tidemark
COPY --from=cli /tidemark/cli/dist /usr/local/lib/tidemark
RUN ln -s ../lib/tidemark/tidemark.mjs /usr/local/bin/tidemark

USER node
ENV NODE_COMPILE_CACHE=/tidemark/.cache SERVICE=${SERVICE} NODE_ENV=production
# V8's young generation is bounded, as in a stack of npm start (stack-process.ts says why).
ENV V8_OPTIONS="--max-semi-space-size=4"
# TypeScript is stripped once, here, and not at each start: by the user who runs it and with the options that it has then,
# for the cache is kept for each of both.
RUN node $V8_OPTIONS -e "await import('./${SERVICE}/src/service.ts')"

# TIDEMARK_OPERATIONS_PORT must be set, also where a process would take its default.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.TIDEMARK_OPERATIONS_PORT}/livez`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
# tini collects what br leaves behind and passes signals on.
ENTRYPOINT ["/usr/bin/tini", "--", "sh", "-c", "exec node $V8_OPTIONS \"$SERVICE/src/main.ts\""]
