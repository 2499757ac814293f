# syntax=docker/dockerfile:1
FROM node:24-bookworm-slim AS build
WORKDIR /signet
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY src src
COPY migrations migrations
RUN npm run build

FROM node:24-bookworm-slim AS packages
WORKDIR /signet
COPY package.json package-lock.json ./
# Without the embedded PostgreSQL, which production refuses; the argon2 package includes its binary.
RUN npm ci --omit=dev --omit=optional --ignore-scripts

FROM node:24-bookworm-slim
ENV NODE_ENV=production METRICS_HOST=0.0.0.0
WORKDIR /signet
COPY --from=packages /signet/node_modules node_modules
COPY --from=build /signet/dist dist
COPY package.json ./
# `docker run … signet users list`
RUN ln -s /signet/dist/src/main.cjs /usr/local/bin/signet && chmod +x dist/src/main.cjs \
 && install -d -o node -g node -m 700 keys .data
USER node
EXPOSE 3000 9464
# Liveness, not readiness: a restart does not bring a database back.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT || 3000}/health/live`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "dist/src/main.cjs", "serve"]
