import { type ComponentType, type ReactNode, useEffect, useState } from 'react';
import type { Facts } from '../../state/facts.ts';
import { useFacts } from './useFacts.ts';

/**
 * Loads a part of the page when it is needed. `load` has to be the same function every time. Until the part is
 * there `standIn` is what to show in its place: `loading`, or that it failed, with a way to try again.
 */
export function usePart<P>(
  isNeeded: boolean,
  load: () => Promise<P>,
  loading: ReactNode = <p className="muted">Loading</p>,
): { readonly part: P; readonly standIn: null } | { readonly part: null; readonly standIn: ReactNode } {
  const [state, setState] = useState<{ readonly part: P } | 'failed' | null>(null);
  useEffect(() => {
    if (!isNeeded || state) return;
    load().then(
      (part) => setState({ part }),
      () => setState('failed'),
    );
  }, [isNeeded, state, load]);
  if (state === null) return { part: null, standIn: loading };
  if (state !== 'failed') return { part: state.part, standIn: null };
  return {
    part: null,
    standIn: (
      <div className="notice" data-severity="error" role="alert">
        <span>This part of the page could not be loaded.</span>
        <button type="button" onClick={() => setState(null)}>
          Try again
        </button>
      </div>
    ),
  };
}

interface LazyPartOptions {
  /** Whether there is anything to show; nothing is loaded or shown before. */
  readonly isNeeded?: (facts: Facts) => boolean;
  /** Stands in the part's place until it is there. */
  readonly loading?: ReactNode;
}

const always = () => true;

/** Makes a component whose code is loaded when it is first needed. */
export function lazyPart<P extends object = object>(
  load: () => Promise<ComponentType<P>>,
  { isNeeded = always, loading }: LazyPartOptions = {},
): ComponentType<P> {
  const loadPart = async () => ({ Loaded: await load() });
  return function LazyPart(props: P) {
    const isShown = useFacts(isNeeded);
    const { part, standIn } = usePart(isShown, loadPart, loading);
    if (!isShown) return null;
    return part ? <part.Loaded {...props} /> : standIn;
  };
}

interface LazyPanelProps {
  /** Id of the panel's section, the same that the loaded panel has. */
  readonly id: string;
  readonly title: string;
  /** Has to be one function every time. */
  readonly load: () => Promise<{ readonly Panel: ComponentType }>;
}

/** Shows a panel that is loaded when it is first shown; its title stands in its place until then. */
export function LazyPanel({ id, title, load }: LazyPanelProps) {
  const { part, standIn } = usePart(true, load);
  return part ? (
    <part.Panel />
  ) : (
    <section className="panel" id={id} aria-labelledby={`${id}-title`} aria-busy="true">
      <h2 id={`${id}-title`}>{title}</h2>
      {standIn}
    </section>
  );
}
