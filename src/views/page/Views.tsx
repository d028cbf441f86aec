import { Activity, type ComponentType, memo, useEffect, useLayoutEffect, useRef, useState } from 'react';
import { type View, viewTitles } from '../../state/view.ts';
import { showBelowTop } from './belowTop.ts';
import { Guarded } from './Guarded.tsx';
import { LazyPanel } from './lazyPart.tsx';
import { useFacts } from './useFacts.ts';
import styles from './views.module.css';

/** Loads a view's code, when the view is first shown. */
const views: Readonly<Record<View, () => Promise<{ readonly Panel: ComponentType }>>> = {
  answer: async () => ({ Panel: (await import('../answer/Answer.tsx')).Answer }),
  picture: async () => ({ Panel: (await import('../picture/Picture.tsx')).Picture }),
  tokens: async () => ({ Panel: (await import('../tokens/TokenTable.tsx')).TokenTable }),
  weights: async () => ({ Panel: (await import('../weights/Weights.tsx')).Weights }),
  attention: async () => ({ Panel: (await import('../attention/Attention.tsx')).Attention }),
  masks: async () => ({ Panel: (await import('../masks/Masks.tsx')).Masks }),
  embeddings: async () => ({ Panel: (await import('../embeddings/Embeddings.tsx')).Embeddings }),
  anatomy: async () => ({ Panel: (await import('../anatomy/Anatomy.tsx')).Anatomy }),
  vocabulary: async () => ({ Panel: (await import('../vocabulary/Vocabulary.tsx')).Vocabulary }),
  methods: async () => ({ Panel: (await import('../methods/Methods.tsx')).Methods }),
  programs: async () => ({ Panel: (await import('../programs/Programs.tsx')).Programs }),
  sweep: async () => ({ Panel: (await import('../methods/Sweep.tsx')).Sweep }),
  'mask-lab': async () => ({ Panel: (await import('../masks/lab/MaskLab.tsx')).MaskLab }),
  analyses: async () => ({ Panel: (await import('../analyses/Analyses.tsx')).Analyses }),
  'psi-lab': async () => ({ Panel: (await import('../psi/PsiLab.tsx')).PsiLab }),
  objective: async () => ({ Panel: (await import('../objective/Objective.tsx')).Objective }),
  lecture: async () => ({ Panel: (await import('../lecture/Lecture.tsx')).Lecture }),
  checkpoint: async () => ({ Panel: (await import('../checkpoint/Checkpoint.tsx')).Checkpoint }),
  speed: async () => ({ Panel: (await import('../speed/Speed.tsx')).Speed }),
  export: async () => ({ Panel: (await import('../export/ExportView.tsx')).ExportView }),
};

/** Memoised, so that a view off show is not drawn anew with the others. */
const Panel = memo(LazyPanel);

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
    if (frame.current) showBelowTop(frame.current);
  }, [shown]);
  return (
    <div className={styles.views} ref={frame}>
      {opened.map((name) => (
        <Activity key={name} mode={name === shown ? 'visible' : 'hidden'}>
          <Guarded name={`“${viewTitles[name]}”`}>
            <Panel id={name} title={viewTitles[name]} load={views[name]} />
          </Guarded>
        </Activity>
      ))}
    </div>
  );
}
