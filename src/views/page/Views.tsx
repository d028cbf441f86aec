import {
  Activity,
  type ComponentType,
  lazy,
  memo,
  Suspense,
  useEffect,
  useLayoutEffect,
  useRef,
  useState,
} from 'react';
import { shownInShort } from '../../state/shownInShort.ts';
import { chunkViews, type View, viewTitles } from '../../state/view.ts';
import { useFacts } from './useFacts.ts';

/** A view's code is loaded when it is first shown. */
const views: Readonly<Record<View, ComponentType>> = {
  answer: view(async () => (await import('../answer/Answer.tsx')).Answer),
  tokens: view(async () => (await import('../tokens/TokenTable.tsx')).TokenTable),
  weights: view(async () => (await import('../weights/Weights.tsx')).Weights),
  attention: view(async () => (await import('../attention/Attention.tsx')).Attention),
  masks: view(async () => (await import('../masks/Masks.tsx')).Masks),
  embeddings: view(async () => (await import('../embeddings/Embeddings.tsx')).Embeddings),
  anatomy: view(async () => (await import('../anatomy/LazyAnatomy.tsx')).LazyAnatomy),
  vocabulary: view(async () => (await import('../vocabulary/LazyVocabulary.tsx')).LazyVocabulary),
  methods: view(async () => (await import('../methods/LazyMethods.tsx')).LazyMethods),
  programs: view(async () => (await import('../programs/LazyPrograms.tsx')).LazyPrograms),
  checkpoint: view(async () => (await import('../checkpoint/LazyCheckpoint.tsx')).LazyCheckpoint),
  export: view(async () => (await import('../export/LazyExport.tsx')).LazyExport),
};

/** Memoised, so that a view off show is not drawn anew with the others. */
function view(load: () => Promise<ComponentType>): ComponentType {
  return memo(lazy(async () => ({ default: await load() })));
}

/** The view on show. Those that were shown before keep their state, but compute nothing and have nothing encoded. */
export function Views() {
  const shown = useFacts((s) => s.view);
  const [opened, setOpened] = useState<readonly View[]>([shown]);
  if (!opened.includes(shown)) setOpened([...opened, shown]);
  const frame = useRef<HTMLDivElement>(null);
  const before = useRef(shown);
  useEffect(() => {
    document.title = `${viewTitles[shown]} · clipscope`;
  }, [shown]);
  // A view begins at its beginning, below what is sticky.
  useLayoutEffect(() => {
    if (before.current === shown) return;
    before.current = shown;
    const top = document.querySelector('.top-strip')?.getBoundingClientRect().bottom ?? 0;
    const from = frame.current?.getBoundingClientRect().top ?? top;
    if (from < top) scrollBy({ top: from - top, behavior: 'instant' });
  }, [shown]);
  return (
    <div className="views" ref={frame}>
      {chunkViews.includes(shown) && <OfWhat />}
      {opened.map((name) => {
        const Shown = views[name];
        return (
          <Activity key={name} mode={name === shown ? 'visible' : 'hidden'}>
            <Suspense fallback={<p className="panel unloaded muted">Loading</p>}>
              <Shown />
            </Suspense>
          </Activity>
        );
      })}
    </div>
  );
}

/** Says of what the numbers of a view are. */
function OfWhat() {
  const text = useFacts(shownInShort);
  return <p className="of-what">{text}</p>;
}
