;; Sums of luma by cell, four pixels at a time. pixels.ts says what dhash is; luma-module.ts holds this module's bytes.
;;
;; Memory, little-endian:
;;     0  nine pairs of i32: first pixel of each cell across, and the end of it
;;    80  nine i32: the cells' sums, added to
;;   128  v128: all pixels, combined by AND
;;  1024  rows of RGBA8, and 12 bytes more that may be read and do not count
(module
  (memory (export "memory") 1)

  ;; Adds `rows` rows of `width` pixels, which begin at $at.
  (func (export "scan") (param $at i32) (param $rows i32) (param $width i32)
    (local $cell i32)
    (local $pixel i32)
    (local $end i32)
    (local $sums v128)
    (local $all v128)
    (local $inside v128)
    (local $four v128)
    (local $low v128)
    (local $high v128)
    (local.set $all (v128.load (i32.const 128)))
    (block $done
      (loop $row
        (br_if $done (i32.eqz (local.get $rows)))
        (local.set $cell (i32.const 0))
        (loop $next
          (local.set $sums (v128.const i32x4 0 0 0 0))
          (local.set $pixel
            (i32.add (local.get $at) (i32.shl (i32.load (i32.shl (local.get $cell) (i32.const 3))) (i32.const 2))))
          (local.set $end
            (i32.add
              (local.get $at)
              (i32.shl (i32.load offset=4 (i32.shl (local.get $cell) (i32.const 3))) (i32.const 2))))
          (loop $fours
            ;; The lanes that lie before the cell's end; the others become white, and are left out of the sum.
            (local.set $inside
              (i32x4.gt_s (i32x4.splat (i32.sub (local.get $end) (local.get $pixel))) (v128.const i32x4 0 4 8 12)))
            (local.set $four (v128.or (v128.load align=4 (local.get $pixel)) (v128.not (local.get $inside))))
            (local.set $all (v128.and (local.get $all) (local.get $four)))
            ;; Of each pixel two words: 299 R + 587 G, and 114 B.
            (local.set $low
              (i32x4.dot_i16x8_s
                (i16x8.extend_low_i8x16_u (local.get $four))
                (v128.const i16x8 299 587 114 0 299 587 114 0)))
            (local.set $high
              (i32x4.dot_i16x8_s
                (i16x8.extend_high_i8x16_u (local.get $four))
                (v128.const i16x8 299 587 114 0 299 587 114 0)))
            ;; floor(v / 1000) = floor(floor(v / 8) * 33555 / 2^22) for every v up to 255,500, and nothing exceeds 2^31.
            (local.set $sums
              (i32x4.add
                (local.get $sums)
                (v128.and
                  (local.get $inside)
                  (i32x4.shr_u
                    (i32x4.mul
                      (i32x4.shr_u
                        (i32x4.add
                          (i32x4.add
                            (i8x16.shuffle 0 1 2 3 8 9 10 11 16 17 18 19 24 25 26 27
                              (local.get $low) (local.get $high))
                            (i8x16.shuffle 4 5 6 7 12 13 14 15 20 21 22 23 28 29 30 31
                              (local.get $low) (local.get $high)))
                          (v128.const i32x4 500 500 500 500))
                        (i32.const 3))
                      (v128.const i32x4 33555 33555 33555 33555))
                    (i32.const 22)))))
            (local.set $pixel (i32.add (local.get $pixel) (i32.const 16)))
            (br_if $fours (i32.lt_u (local.get $pixel) (local.get $end))))
          (i32.store offset=80
            (i32.shl (local.get $cell) (i32.const 2))
            (i32.add
              (i32.load offset=80 (i32.shl (local.get $cell) (i32.const 2)))
              (i32.add
                (i32.add (i32x4.extract_lane 0 (local.get $sums)) (i32x4.extract_lane 1 (local.get $sums)))
                (i32.add (i32x4.extract_lane 2 (local.get $sums)) (i32x4.extract_lane 3 (local.get $sums))))))
          (local.set $cell (i32.add (local.get $cell) (i32.const 1)))
          (br_if $next (i32.lt_u (local.get $cell) (i32.const 9))))
        (local.set $at (i32.add (local.get $at) (i32.shl (local.get $width) (i32.const 2))))
        (local.set $rows (i32.sub (local.get $rows) (i32.const 1)))
        (br $row)))
    (v128.store (i32.const 128) (local.get $all))))
