import { useEffect } from 'react';
import { drawsOnGpu } from '../../state/picture/drawsOnGpu.ts';
import { useFacts } from '../page/useFacts.ts';
import { useWhileSeen } from '../page/useWhileSeen.ts';
import { usePictures } from './usePictures.ts';

/** Hands on what is typed and chosen, and has it drawn while the view is on show: by a GPU where the page's own encoder runs on one. */
export function DrawnAsTyped() {
  const prompts = useFacts((s) => s.prompts);
  const options = useFacts((s) => s.options);
  const embeddings = useFacts((s) => s.embeddings);
  const isReady = useFacts((s) => s.tokenizer.phase === 'ready');
  const isGpu = useFacts(drawsOnGpu);
  const drawOn = usePictures((s) => s.drawOn);
  const read = usePictures((s) => s.read);
  const show = usePictures((s) => s.show);
  const hide = usePictures((s) => s.hide);
  useEffect(() => drawOn(isGpu), [isGpu, drawOn]);
  useEffect(() => {
    if (isReady) read({ prompts, options }, embeddings);
  }, [isReady, prompts, options, embeddings, read]);
  useWhileSeen(show, hide);
  return null;
}
