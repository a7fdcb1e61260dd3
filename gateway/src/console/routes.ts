/** The console: static files, where to log in, and who has logged in. Nothing of it is from elsewhere, and no cookie is set. */
import { AppError } from '@tidemark/errors/app-error';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { accepts } from '../compress.ts';
import type { Admission } from '../edge/admission.ts';
import type { ConsoleFile, ConsoleFiles } from './files.ts';
import type { ConsoleLogin } from './login.ts';
import { PAGES } from './pages.ts';

export interface ConsoleDependencies {
  readonly files: ConsoleFiles;
  /** Left out, only a token that is pasted lets people in. */
  readonly login?: ConsoleLogin | undefined;
}

/** Names change with the contents. */
const FOREVER = 'public, max-age=31536000, immutable';

/** Only what this server sends may run or be loaded, and nothing be asked but this server and the issuer. */
function policyOf(login: ConsoleLogin | undefined): string {
  const asked = ["'self'", ...(login ? [new URL(login.issuer).origin] : [])];
  return [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    `connect-src ${asked.join(' ')}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
  ].join('; ');
}

/** Every page of the console, its files, and the two answers that it needs beside the API. */
export function consoleRoutes(app: FastifyInstance, { files, login }: ConsoleDependencies, admission: Admission): void {
  const policy = policyOf(login);
  const page = async (request: FastifyRequest, reply: FastifyReply) =>
    sendFile(request, reply, files.page, {
      'cache-control': 'no-cache',
      'content-security-policy': policy,
      'referrer-policy': 'no-referrer',
    });
  for (const path of PAGES) app.get(path, page);

  app.get<{ Params: { file: string } }>('/console/:file', async (request, reply) => {
    const file = files.assets.get(request.params.file);
    if (!file) throw new AppError('route_not_found', 'The console has no such file; load the page anew.');
    return sendFile(request, reply, file, { 'cache-control': FOREVER });
  });
  app.get('/console/config', async (_, reply) =>
    reply.header('cache-control', 'no-store').send({ login: login ?? null }),
  );
  app.get('/console/caller', async (request, reply) => {
    await admission.admit({
      address: request.ip,
      authorization: request.headers.authorization,
      place: request.place,
      call: undefined,
      identified: (caller) => {
        request.caller = caller;
      },
      answerWith: (headers) => void reply.headers(headers),
    });
    const { tokenId: id, name, role, clusters } = request.caller;
    return reply.header('cache-control', 'no-store').send({ id, name, role, seesAll: clusters.includes('*') });
  });
}

function sendFile(
  request: FastifyRequest,
  reply: FastifyReply,
  { type, plain, brotli }: ConsoleFile,
  headers: Readonly<Record<string, string>>,
): FastifyReply {
  reply.headers(headers).type(type).header('vary', 'accept-encoding');
  if (brotli && accepts(request.headers['accept-encoding'], 'br'))
    return reply.header('content-encoding', 'br').send(brotli);
  return reply.send(plain);
}
