/** The addresses of the console's pages, which its own router knows by the same patterns (`gateway/console/src/app.tsx`). */
export const PAGES = [
  '/',
  '/clusters/:id',
  '/clusters/:id/rules/:rule',
  '/backups',
  '/backups/:id',
  '/plans',
  '/plans/:name',
  '/storages',
  '/storages/:id',
  '/workers',
  '/tokens',
  '/search',
  '/restores',
  '/restores/new',
  '/restores/:id',
  '/login',
] as const;
