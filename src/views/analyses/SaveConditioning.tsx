import { useEffect, useRef, useState } from 'react';
import type { AnalysisEncoder } from '../../analyses/analysisEncoder.ts';
import { type NamedRows, namedTensors } from '../../analyses/namedRows.ts';
import { messageOf } from '../../state/notices.ts';
import type { AnalysisSubject } from '../../state/promptAnalyses.ts';
import { useFacts } from '../page/useFacts.ts';
import { fileName, saveFile } from '../pictures/saveFile.ts';

interface SaveConditioningProps {
  readonly of: AnalysisSubject;
  readonly isStale: boolean;
  /** Says what is saved, in the button and in the file's name: "the conditioning of each layer". */
  readonly what: string;
  /** Asks the encoder for the rows; null where there are none to save. */
  readonly rows: ((encoder: AnalysisEncoder) => Promise<readonly NamedRows[]>) | null;
}

/** Saves conditionings that an analysis speaks of, which the encoder is asked for once more. */
export function SaveConditioning({ of, isStale, what, rows }: SaveConditioningProps) {
  const askEncoder = useFacts((s) => s.askEncoder);
  const [problem, setProblem] = useState<string | null>(null);
  const underway = useRef<AbortController>(null);
  const [isUnderway, setIsUnderway] = useState(false);
  useEffect(() => () => underway.current?.abort(), []);
  const save = async () => {
    if (!rows) return;
    const own = new AbortController();
    underway.current = own;
    setProblem(null);
    setIsUnderway(true);
    try {
      const [named, { writeConditioning }] = await Promise.all([
        askEncoder(rows, own.signal),
        import('../../road/export/conditioningFile.ts'),
      ]);
      const tensors = namedTensors(named, of.pass.inputIds.length);
      const bytes = writeConditioning('safetensors', tensors, {
        clipscope: '1',
        prompt: of.plainText,
        model: of.model.name,
        random_weights: String(of.model.random),
        clipSkip: String(of.clipSkip),
        holds: `${what}: rows of one chunk, before weights`,
      });
      saveFile(`${fileName(what, of.plainText)}.safetensors`, bytes, 'application/octet-stream');
    } catch (error) {
      if (!own.signal.aborted) setProblem(messageOf(error));
    }
    if (!own.signal.aborted) setIsUnderway(false);
  };
  return (
    <p>
      <button type="button" className="small" disabled={isStale || isUnderway || !rows} onClick={() => void save()}>
        Save {what}
      </button>{' '}
      <span className="muted small" role="status" aria-label="Saving">
        {problem
          ? `This could not be saved: ${problem}`
          : isUnderway
            ? 'Encoding'
            : 'As safetensors: this chunk, before weights.'}
      </span>
    </p>
  );
}
