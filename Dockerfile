FROM node:24-bookworm-slim AS build
WORKDIR /pluto
COPY package.json package-lock.json ./
COPY scripts ./scripts
RUN npm ci --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ormconfig.ts ./
COPY src ./src
COPY migrations ./migrations
RUN npm run build && npm prune --omit=dev --no-audit --no-fund && node scripts/slim-install.mjs && rm -rf node_modules/.cache

FROM node:24-bookworm-slim
LABEL org.opencontainers.image.title="Pluto" \
  org.opencontainers.image.description="Self-hosted account server" \
  org.opencontainers.image.licenses="MIT"
ENV NODE_ENV=production HOST=0.0.0.0 DATA_DIR=/data
WORKDIR /pluto
# Owned by root: the server cannot change what it runs.
COPY --from=build /pluto/package.json ./
COPY --from=build /pluto/node_modules ./node_modules
COPY --from=build /pluto/dist ./dist
COPY views ./views
COPY LICENSE ./
# With the folder for pictures in the image, a volume mounted on it belongs to the server's user.
RUN install -d -m 0700 -o node -g node /data /data/avatars
USER node
VOLUME /data
EXPOSE 8010
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=3s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:' + (process.env.PORT || 8010) + '/health/live').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# The command line: node dist/src/cli.js …
CMD ["node", "--max-semi-space-size=8", "--no-allocation-site-pretenuring", "dist/pluto.js"]
