import { createContext, use } from 'react';
import { useStore } from 'zustand';
import type { PictureActions, PictureFacts, PictureLab } from '../../state/picture/pictureStore.ts';

export const PicturesContext = createContext<PictureLab | null>(null);

/** Returns what `select` finds in the panel's state. It must return the same object for the same facts. */
export function usePictures<T>(select: (facts: PictureFacts & PictureActions) => T): T {
  const lab = use(PicturesContext);
  if (!lab) throw new Error('The pictures are used outside PicturesContext.');
  return useStore(lab, select);
}
