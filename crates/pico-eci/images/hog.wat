;; SPDX-License-Identifier: Apache-2.0
;; Takes another 4 KiB of memory every 100 ms until its memory limit ends it: what OOMKilled looks like.
(module
  (import "pico:system" "sleep-ms" (func $sleep (param i32) (result i32)))
  (import "pico:log" "write" (func $log (param i32 i32 i32) (result i32)))
  (memory 4096 (pagesize 1))
  (data (i32.const 0) "4 KiB more")
  (data (i32.const 16) "memory refused by the module's own maximum")
  (func (export "run") (result i32)
    (loop $forever
      (if (i32.eq (memory.grow (i32.const 4096)) (i32.const -1))
        (then
          (drop (call $log (i32.const 3) (i32.const 16) (i32.const 42)))
          (return (i32.const 1))))
      (drop (call $log (i32.const 1) (i32.const 0) (i32.const 10)))
      (br_if $forever (i32.eqz (call $sleep (i32.const 100)))))
    (i32.const 0)))
