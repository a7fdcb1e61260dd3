import { z } from 'zod';
import type { Operation } from '../operation.ts';

export const getOpenApi = {
  id: 'getOpenApi',
  tag: 'Reference',
  summary: 'This reference as an OpenAPI document',
  answer: { json: z.looseObject({ openapi: z.string() }) },
} as const satisfies Operation;

export const getSwagger = {
  id: 'getSwagger',
  tag: 'Reference',
  summary: 'The six documented calls as a Swagger 2 document',
  description: 'For generators of clients that read nothing newer. Everything else is in the OpenAPI document alone.',
  answer: { json: z.looseObject({ swagger: z.string() }) },
} as const satisfies Operation;

export const getDocs = {
  id: 'getDocs',
  tag: 'Reference',
  summary: 'This reference as a page',
  answer: { type: 'text/html', description: 'The page.' },
} as const satisfies Operation;

/** What files of the page are. */
export const FILE_TYPES = ['text/css', 'text/javascript', 'image/png'] as const;

export const getDocsFile = {
  id: 'getDocsFile',
  tag: 'Reference',
  summary: 'A file of the page',
  params: z.object({ file: z.string().meta({ description: 'Its name.', examples: ['swagger-ui.css'] }) }),
  answer: { type: FILE_TYPES, description: 'The file.' },
  errors: ['route_not_found'],
} as const satisfies Operation;
