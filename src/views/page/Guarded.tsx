import { Component, type ReactNode, use, useState } from 'react';
import type { Fault } from '../../state/facts.ts';
import { faultReport } from '../../state/faultReport.ts';
import { StoreContext, useFacts } from './useFacts.ts';

interface GuardedProps {
  /** The name of this part of the page in sentences: `Attention`, `the token strip`. */
  readonly name: string;
  readonly children: ReactNode;
}

/**
 * Keeps an error in a part of the page to that part: a sentence stands in its place, and the rest goes on. Another prompt,
 * option or chunk is another try.
 */
export function Guarded({ name, children }: GuardedProps) {
  const revision = useFacts((s) => s.revision);
  return (
    <Boundary name={name} revision={revision}>
      {children}
    </Boundary>
  );
}

interface Failure {
  readonly error: Error;
  /** The revision of the facts that it failed at. */
  readonly revision: number;
}

class Boundary extends Component<GuardedProps & { readonly revision: number }, { readonly failure: Failure | null }> {
  override state: { readonly failure: Failure | null } = { failure: null };

  static getDerivedStateFromError(thrown: unknown) {
    return { failure: { error: thrown instanceof Error ? thrown : new Error(String(thrown)), revision: -1 } };
  }

  /** Drops a failure of facts that have changed since, so that what they show now is drawn. */
  static getDerivedStateFromProps(
    { revision }: { readonly revision: number },
    { failure }: { readonly failure: Failure | null },
  ) {
    if (!failure || failure.revision === revision) return null;
    return { failure: failure.revision < 0 ? { ...failure, revision } : null };
  }

  override render() {
    const { failure } = this.state;
    const { name, children } = this.props;
    if (!failure) return children;
    return <Failed fault={{ place: name, error: failure.error }} onRetry={() => this.setState({ failure: null })} />;
  }
}

function Failed({ fault, onRetry }: { readonly fault: Fault; onRetry(): void }) {
  return (
    <div className="notice" data-severity="error" role="alert">
      <p>
        Something went wrong in {fault.place}: {fault.error.message || fault.error.name}. The rest of the page goes on,
        and your prompts are kept.
      </p>
      <button type="button" className="small" onClick={onRetry}>
        Try again
      </button>
      <CopyReport fault={fault} />
    </div>
  );
}

/** Copies a report of a fault; the prompts are in it only if the person says so. */
export function CopyReport({ fault }: { readonly fault: Fault }) {
  const store = use(StoreContext);
  const [withPrompts, setWithPrompts] = useState(false);
  const [copied, setCopied] = useState<boolean | null>(null);
  const report = () =>
    store
      ? faultReport(fault, store.getState(), { version: clipscopeVersion, browser: navigator.userAgent }, withPrompts)
      : '';
  const copy = () =>
    navigator.clipboard.writeText(report()).then(
      () => setCopied(true),
      () => setCopied(false),
    );
  return (
    <>
      <button type="button" className="small" onClick={() => void copy()}>
        Copy what happened
      </button>
      <label className="small">
        <input type="checkbox" checked={withPrompts} onChange={(event) => setWithPrompts(event.target.checked)} /> with
        my prompts
      </label>
      <span className="muted small" role="status">
        {copied && 'Copied.'}
        {copied === false && 'The browser does not let the page copy: select the text instead.'}
      </span>
      {copied === false && <pre>{report()}</pre>}
    </>
  );
}
