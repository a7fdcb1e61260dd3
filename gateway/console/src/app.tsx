import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { LocationProvider, Route, Router } from 'preact-iso';
import { toProblem } from './api.ts';
import { Frame } from './frame.tsx';
import { Login } from './login.tsx';
import { continueLogin, isLogin } from './login-at-issuer.ts';
import { AuditPage } from './pages/audit.tsx';
import { BackupPage } from './pages/backup.tsx';
import { BackupsPage } from './pages/backups.tsx';
import { ClusterPage } from './pages/cluster.tsx';
import { FleetPage } from './pages/fleet.tsx';
import { LabelPlanPage } from './pages/label-plan.tsx';
import { NewRestorePage } from './pages/new-restore.tsx';
import { NotificationsPage } from './pages/notifications.tsx';
import { NowherePage } from './pages/nowhere.tsx';
import { PlansPage } from './pages/plans.tsx';
import { ReceiverPage } from './pages/receiver.tsx';
import { RestorePage } from './pages/restore.tsx';
import { RestoresPage } from './pages/restores.tsx';
import { RulePage } from './pages/rule.tsx';
import { SearchPage } from './pages/search.tsx';
import { StoragePage } from './pages/storage.tsx';
import { StoragesPage } from './pages/storages.tsx';
import { TokensPage } from './pages/tokens.tsx';
import { WorkersPage } from './pages/workers.tsx';
import { caller, resume, sight } from './session.ts';

/** The whole console. Its addresses are those of `gateway/src/console/pages.ts`. */
export function App() {
  return (
    <LocationProvider>
      <Entrance />
    </LocationProvider>
  );
}

/** Lets in who has a token; the address stays what it was, so that whoever logs in is where they wanted to be. */
function Entrance() {
  const isReady = useSignal(false);
  const trouble = useSignal<string | undefined>(undefined);
  useEffect(() => {
    const enter = isLogin(location) ? continueLogin : resume;
    void enter()
      .catch((error: unknown) => (trouble.value = error instanceof Error ? error.message : toProblem(error).message))
      .finally(() => (isReady.value = true));
  }, []);
  if (!isReady.value) return null;
  if (!caller.value) return <Login trouble={trouble.value} />;
  return (
    <Frame>
      <Router key={sight.value}>
        <Route path="/" component={FleetPage} />
        <Route path="/login" component={FleetPage} />
        <Route path="/clusters/:id" component={ClusterPage} />
        <Route path="/clusters/:id/rules/:rule" component={RulePage} />
        <Route path="/plans" component={PlansPage} />
        <Route path="/plans/:name" component={LabelPlanPage} />
        <Route path="/storages" component={StoragesPage} />
        <Route path="/storages/:id" component={StoragePage} />
        <Route path="/restores" component={RestoresPage} />
        <Route path="/restores/new" component={NewRestorePage} />
        <Route path="/restores/:id" component={RestorePage} />
        <Route path="/workers" component={WorkersPage} />
        <Route path="/tokens" component={TokensPage} />
        <Route path="/notifications" component={NotificationsPage} />
        <Route path="/notifications/:id" component={ReceiverPage} />
        <Route path="/audit" component={AuditPage} />
        <Route path="/search" component={SearchPage} />
        <Route path="/backups" component={BackupsPage} />
        <Route path="/backups/:id" component={BackupPage} />
        <Route default component={NowherePage} />
      </Router>
    </Frame>
  );
}
