/** Answers that are worth it are compressed for clients that take that; streams go out as they come. */
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip, zstdCompress } from 'node:zlib';
import type { FastifyInstance } from 'fastify';

const WORTH_BYTES = 1_024;

/** Best first, for answers that are made anew each time. */
const CODINGS: Readonly<Record<string, (text: string) => Promise<Buffer>>> = {
  zstd: (text) => promisify(zstdCompress)(text),
  br: (text) => promisify(brotliCompress)(text, { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } }),
  gzip: (text) => promisify(gzip)(text),
};

/** How much a client wants each coding that it names. */
function weightsOf(accepted: string | undefined): ReadonlyMap<string, number> {
  return new Map(
    (accepted ?? '').split(',').map((part) => {
      const [name = '', ...parameters] = part.split(';').map((word) => word.trim().toLowerCase());
      const weight = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2);
      return [name === 'x-gzip' ? 'gzip' : name, weight === undefined ? 1 : Number(weight) || 0] as const;
    }),
  );
}

/** Whether a client takes a coding, by its `Accept-Encoding`. */
export function accepts(accepted: string | undefined, coding: string): boolean {
  const weights = weightsOf(accepted);
  return (weights.get(coding) ?? weights.get('*') ?? 0) > 0;
}

/** The coding that a client wants most, of those that we have; nothing when it wants none. */
export function chooseCoding(accepted: string | undefined): string | undefined {
  const weights = weightsOf(accepted);
  const weightOf = (name: string) => weights.get(name) ?? weights.get('*') ?? 0;
  const [best] = Object.keys(CODINGS).sort((a, b) => weightOf(b) - weightOf(a)); // stable: ours first where equal
  const plain = weights.get('identity') ?? 0;
  return best !== undefined && weightOf(best) > 0 && weightOf(best) >= plain ? best : undefined;
}

export function compressAnswers(app: FastifyInstance): void {
  app.addHook('onSend', async (request, reply, payload) => {
    if (typeof payload !== 'string' || payload.length < WORTH_BYTES) return payload;
    if (reply.hasHeader('content-encoding')) return payload;
    reply.header('vary', [reply.getHeader('vary'), 'accept-encoding'].filter(Boolean).join(', '));
    const coding = chooseCoding(request.headers['accept-encoding']?.toString());
    const compress = coding === undefined ? undefined : CODINGS[coding];
    if (!coding || !compress) return payload;
    const compressed = await compress(payload);
    reply.header('content-encoding', coding).header('content-length', compressed.length);
    return compressed;
  });
}
