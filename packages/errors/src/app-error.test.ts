import { expect, it } from 'vitest';
import { AppError, causes, invalidArgument, toAppError } from './app-error.ts';
import { ERRORS } from './codes.ts';

it('names every bad field in one sentence', () => {
  const error = invalidArgument([
    { field: 'a', description: 'must be set' },
    { field: 'b', description: 'must be a number' },
  ]);
  expect(error.message).toBe('a: must be set; b: must be a number');
  expect(error.details.fields).toHaveLength(2);
});

it('hides what an unknown error says and keeps it as the cause', () => {
  const bug = new Error('password=hush');
  const error = toAppError(bug);
  expect(error.code).toBe('internal');
  expect(error.message).not.toContain('hush');
  expect(error.cause).toBe(bug);
});

it('leaves an AppError as it is', () => {
  const error = new AppError('cluster_busy', 'busy');
  expect(toAppError(error)).toBe(error);
});

it('walks causes that lead back to themselves only once', () => {
  const inner: Error & { cause?: unknown } = new Error('inner');
  const outer = new Error('outer', { cause: inner });
  inner.cause = outer;
  expect([...causes(outer)]).toEqual([outer, inner]);
});

it('gives every caller mistake a quiet log line and a status below 500', () => {
  for (const [code, row] of Object.entries(ERRORS)) if (row.log === 'info') expect(row.http, code).toBeLessThan(500);
});
