/** The envelope of the documented API (docs/api-contract.md, "Everywhere"). */
import type { AppError } from '@tidemark/errors/app-error';
import { MAX_PAGE_SIZE } from '@tidemark/limits/limits';
import type { ListBackupsResponse } from '@tidemark/protocol/connect/tidemark/backup/v1/backup_service';
import { z } from 'zod';

export interface Page {
  readonly page: number;
  readonly pageSize: number;
  /** Left out where nobody counted. */
  readonly total?: number;
  readonly totalIsAtLeast?: boolean;
  readonly pageToken?: string;
}

/** What a service says of the page that it answers. */
type CountedPage = Pick<ListBackupsResponse, 'total' | 'totalLeftOut' | 'totalIsAtLeast' | 'nextPageToken' | 'offset'>;

/** Whether a list says its page beside it, whether that says where to go on, or whether only who asked for a page gets one. */
export type Paged = boolean | 'with a token' | 'if asked for';

const GoodCode = z.literal(0).meta({ id: 'GoodCode', description: 'Of every good answer.' });
const GoodMessage = z.literal('OK').meta({ id: 'GoodMessage', description: 'Of every good answer.' });

/** The envelope of a good answer, as a schema. @param data what it holds; by its id where it has one */
export function successSchema(data: z.ZodType, paged: Paged) {
  return z.object({
    code: GoodCode,
    message: GoodMessage,
    data,
    ...(paged && { page: PAGES[paged === true ? 'always' : paged] }),
  });
}

const PageSchema = z
  .object({
    page: z.int().min(1),
    pageSize: z.int().min(1).max(MAX_PAGE_SIZE),
    total: z.int().min(0).describe('Of the whole selection.'),
  })
  .meta({ id: 'Page', description: 'Which part of the list this is.' });

const PageWithToken = PageSchema.extend({
  total: PageSchema.shape.total
    .optional()
    .describe('Of the whole selection; with `totalIsAtLeast`, at least so many. There unless it may be left out.'),
  totalIsAtLeast: z
    .boolean()
    .optional()
    .describe('True where the total was not counted to its end. It is above what this page ends with then.'),
  pageToken: z
    .string()
    .optional()
    .describe('For the next page, as `pageToken`: there behind a full page, and one that could not be filled in time.'),
}).meta({ id: 'PageWithOptionalTotal', description: 'Which part of the list this is, and where it goes on.' });

const PAGES = {
  always: PageSchema,
  'with a token': PageWithToken,
  'if asked for': PageSchema.optional(),
};

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

/** What a list tells of its page, as a service answered it; one that a token names is counted by where that is. */
export function pageView(
  { total, totalLeftOut, totalIsAtLeast, nextPageToken, offset }: CountedPage,
  asked: { readonly page?: number | undefined; readonly pageSize: number; readonly pageToken?: string | undefined },
): Page {
  const { page = 1, pageSize, pageToken } = asked;
  return {
    page: pageToken === undefined ? page : Math.floor(Number(offset) / pageSize) + 1,
    pageSize,
    ...(!totalLeftOut && { total: Number(total) }),
    ...(totalIsAtLeast && { totalIsAtLeast }),
    ...(nextPageToken !== '' && { pageToken: nextPageToken }),
  };
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
