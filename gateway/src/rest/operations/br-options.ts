import { z } from 'zod';

/** Options of `br` in an answer. */
export const BrOptions = z
  .object({
    rateLimit: z.int().describe('MiB per second and TiKV node; 0 is unlimited.'),
    concurrency: z.int().describe('Threads per TiKV node; 0 leaves it to `br`.'),
    compression: z.string().describe('`zstd`, `lz4` or `snappy`; empty leaves it to `br`.'),
    filters: z.array(z.string()).describe('Table filters; none means everything.'),
    checksum: z.boolean().optional().describe('Whether `br` checks what it wrote.'),
    crypterMethod: z.string().optional().describe('How the backup is encrypted; absent when it is not.'),
    crypterKeyFile: z.string().optional().describe('The file on the worker that holds the key.'),
    extra: z.record(z.string(), z.string()).optional().describe('Further flags of `br`, without dashes.'),
  })
  .meta({ id: 'BrOptions' });
export type BrOptionsView = z.infer<typeof BrOptions>;
