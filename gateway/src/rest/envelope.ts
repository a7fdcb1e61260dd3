/** The envelope of the documented API (`api-contract.md`, "Everywhere"). */
import type { AppError } from '@tidemark/errors/app-error';

export interface Page {
  readonly page: number;
  readonly pageSize: number;
  readonly total: number;
}

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
