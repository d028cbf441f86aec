import { type ReactNode, useState } from 'react';
import type { StudyName } from '../../state/picture/pictureStudies.ts';
import { startStudy } from '../../state/picture/startPictures.ts';
import { DrawnAsTyped } from './DrawnAsTyped.tsx';
import { PicturesContext } from './usePictures.ts';

/** Has one study of the first seed drawn while its children are on show. */
export function DrawnStudy({ name, children }: { readonly name: StudyName; readonly children: ReactNode }) {
  const [pictures] = useState(() => startStudy(name));
  return (
    <PicturesContext value={pictures}>
      <DrawnAsTyped />
      {children}
    </PicturesContext>
  );
}
