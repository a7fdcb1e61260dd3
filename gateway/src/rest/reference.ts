/** The reference of the API, for programs and for people. Needs no token, and nothing from elsewhere. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { AppError } from '@tidemark/errors/app-error';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { type DescribedRoute, openApiDocument } from './openapi.ts';
import { getDocs, getDocsFile, getOpenApi, getSwagger } from './operations/reference.ts';
import { swaggerDocument } from './swagger.ts';

/** Only what this server sends may run or be loaded; the page draws some of its icons from data URLs. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** The path is absolute: the page is the same with and without a slash at its end. */
const PAGE = (base: string) => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Tidemark API</title>
<link rel="icon" type="image/png" href="${base}/favicon-32x32.png">
<link rel="stylesheet" href="${base}/swagger-ui.css">
</head>
<body>
<div id="page"></div>
<script src="${base}/swagger-ui-bundle.js"></script>
<script src="${base}/start.js"></script>
</body>
</html>
`;

const START = (document: string) => `SwaggerUIBundle({
  url: ${JSON.stringify(document)},
  dom_id: '#page',
  deepLinking: true,
  docExpansion: 'list',
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  filter: true,
  validatorUrl: null,
});
`;

/** Files of the page that come with a package, and what they are. */
const PACKAGED: Readonly<Record<string, string>> = {
  'swagger-ui.css': 'text/css; charset=utf-8',
  'swagger-ui-bundle.js': 'text/javascript; charset=utf-8',
  'favicon-32x32.png': 'image/png',
};
/** The files change only with a new version of Tidemark. */
const CACHE = 'public, max-age=3600';

const POINTER = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Tidemark</title>
</head>
<body>
<p>This is Tidemark, which backs up TiDB clusters. The reference of its API is at <a href="/docs">/docs</a>.</p>
</body>
</html>
`;

/** What stands at the address that `npm start` prints. Needs no token. */
export function rootRoute(app: FastifyInstance): void {
  app.get('/', async (_, reply) =>
    reply.header('content-security-policy', POLICY).type('text/html; charset=utf-8').send(POINTER),
  );
}

/** @param routes all that the document describes, by the time it is first asked for */
export function referenceRoutes(app: FastifyInstance, routes: readonly DescribedRoute[], prefix: string): void {
  let document: string | undefined;
  let swagger: string | undefined;
  const files = new Map<string, Promise<Buffer>>();
  const packaged = (file: string) => {
    const read = files.get(file) ?? readFile(fileURLToPath(import.meta.resolve(`swagger-ui-dist/${file}`)));
    files.set(file, read);
    return read;
  };
  const html = (reply: FastifyReply) =>
    reply
      .header('content-security-policy', POLICY)
      .header('referrer-policy', 'no-referrer')
      .type('text/html; charset=utf-8');

  app.get('/openapi.json', { config: { operation: getOpenApi } }, async (_, reply) => {
    document ??= JSON.stringify(openApiDocument(routes));
    return reply.type('application/json; charset=utf-8').send(document);
  });
  app.get('/swagger.json', { config: { operation: getSwagger } }, async (_, reply) => {
    swagger ??= JSON.stringify(swaggerDocument(openApiDocument(routes)));
    return reply.type('application/json; charset=utf-8').send(swagger);
  });
  app.get('/docs', { config: { operation: getDocs } }, async (_, reply) => html(reply).send(PAGE(`${prefix}/docs`)));
  app.get<{ Params: { file: string } }>(
    '/docs/:file',
    { config: { operation: getDocsFile } },
    async (request, reply) => {
      const { file } = request.params;
      if (file === 'start.js')
        return reply.type('text/javascript; charset=utf-8').send(START(`${prefix}/openapi.json`));
      const type = Object.hasOwn(PACKAGED, file) ? PACKAGED[file] : undefined;
      if (type === undefined) throw new AppError('route_not_found', 'The reference has no such file.');
      return reply
        .header('cache-control', CACHE)
        .type(type)
        .send(await packaged(file));
    },
  );
}
