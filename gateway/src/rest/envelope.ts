/** The envelope of the documented API (`api-contract.md`, "Everywhere"). */
import type { AppError } from '@tidemark/errors/app-error';
import { z } from 'zod';

export interface Page {
  readonly page: number;
  readonly pageSize: number;
  /** Left out where nobody counted. */
  readonly total?: number;
}

/** Whether a list says its page beside it, and whether a caller may ask for that without the total. */
export type Paged = boolean | 'total if wanted';

/** The envelope of a good answer, as a schema. @param data what it holds */
export function successSchema(data: z.ZodType, paged: Paged) {
  return z.object({
    code: z.literal(0),
    message: z.literal('OK'),
    data,
    ...(paged && { page: paged === true ? PageSchema : PageWithTotalIfWanted }),
  });
}

const PageSchema = z
  .object({
    page: z.int().min(1),
    pageSize: z.int().min(1).max(1_000),
    total: z.int().min(0).describe('Of the whole selection.'),
  })
  .meta({ id: 'Page', description: 'Which part of the list this is.' });

const PageWithTotalIfWanted = PageSchema.extend({
  total: PageSchema.shape.total.optional().describe('Of the whole selection; there unless it may be left out.'),
}).meta({ id: 'PageWithTotalIfWanted', description: 'Which part of the list this is.' });

/** The envelope of a failure, as a schema. */
export const Failure = z
  .object({
    code: z.int().describe('The number of the failure; never 0.'),
    message: z.string().describe('A sentence for people.'),
    data: z.strictObject({}).describe('Always empty.'),
    requestId: z.string().describe('Under which the logs tell more.'),
    details: z
      .looseObject({
        fields: z
          .array(z.object({ field: z.string(), description: z.string() }))
          .optional()
          .describe('Every bad field: its path, and what would be right.'),
      })
      .optional()
      .describe('Facts by name, such as `backupId`.'),
  })
  .meta({ id: 'Failure', description: 'What every failure answers.' });

export function success(data: object, page?: Page): object {
  return { code: 0, message: 'OK', data, ...(page && { page }) };
}

/** @param number of the documented API: the table's, or that of the operation which failed */
export function failure(error: AppError, number: number, requestId: string): object {
  const { fields, info } = error.details;
  return {
    code: number,
    message: error.message,
    data: {},
    requestId,
    ...((fields || info) && { details: { ...(fields && { fields }), ...info } }),
  };
}
