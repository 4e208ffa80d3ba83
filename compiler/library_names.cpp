// Names of the C library; see library_names.h.
//
// The rows: all identifiers of C11 by header, without underscores in front; then what glibc, newlib and picolibc add to the same headers
// unless they are told not to (POSIX, BSD, GNU). Families whose names follow a scheme are rules at the end. Keywords stand elsewhere.
#include "compiler/library_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <regex>
#include <string_view>

namespace tinytc {

namespace {

struct Row {
  const char* where;
  std::string_view names;  // with one space between them
};

// Headers that a file NAME.h in a folder of -I would hide: C's, and those that C libraries and GCC include from them.
constexpr std::string_view headers =
    "alloca assert complex ctype endian envlock errno features fenv float ieeefp inttypes iso646 limits locale math "
    "newlib picolibc pthread reent sched setjmp signal stdalign stdarg stdatomic stdbool stdbit stdckdint stddef stdint stdio stdlib "
    "stdnoreturn string strings syslimits tgmath threads time uchar unistd unwind wchar wctype xlocale";

constexpr Row rows[] = {
    {"<stddef.h>",
     "max_align_t nullptr_t offsetof ptrdiff_t size_t"},
    {"<stdint.h>",
     "PTRDIFF_MAX PTRDIFF_MIN SIG_ATOMIC_MAX SIG_ATOMIC_MIN SIZE_MAX WCHAR_MAX WCHAR_MIN WINT_MAX WINT_MIN intmax_t intptr_t uintmax_t "
     "uintptr_t"},
    {"<stdnoreturn.h>",
     "noreturn"},
    {"<stdarg.h>",
     "va_arg va_copy va_end va_list va_start"},
    {"<limits.h>",
     "CHAR_BIT CHAR_MAX CHAR_MIN LLONG_MAX LLONG_MIN LONG_MAX LONG_MIN MB_LEN_MAX SCHAR_MAX SCHAR_MIN SHRT_MAX SHRT_MIN UCHAR_MAX ULLONG_MAX "
     "ULONG_MAX USHRT_MAX"},
    {"<float.h>",
     "DECIMAL_DIG"},
    {"<errno.h>",
     "E2BIG EACCES EADDRINUSE EADDRNOTAVAIL EADV EAFNOSUPPORT EAGAIN EALREADY EBADE EBADF EBADFD EBADMSG EBADR EBADRQC EBADSLT EBFONT EBUSY "
     "ECANCELED ECHILD ECHRNG ECOMM ECONNABORTED ECONNREFUSED ECONNRESET EDEADLK EDEADLOCK EDESTADDRREQ EDOM EDOTDOT EDQUOT EEXIST EFAULT "
     "EFBIG EHOSTDOWN EHOSTUNREACH EHWPOISON EIDRM EILSEQ EINPROGRESS EINTR EINVAL EIO EISCONN EISDIR EISNAM EKEYEXPIRED EKEYREJECTED "
     "EKEYREVOKED EL2HLT EL2NSYNC EL3HLT EL3RST ELIBACC ELIBBAD ELIBEXEC ELIBMAX ELIBSCN ELNRNG ELOOP EMEDIUMTYPE EMFILE EMLINK EMSGSIZE "
     "EMULTIHOP ENAMETOOLONG ENAVAIL ENETDOWN ENETRESET ENETUNREACH ENFILE ENOANO ENOBUFS ENOCSI ENODATA ENODEV ENOENT ENOEXEC ENOKEY ENOLCK "
     "ENOLINK ENOMEDIUM ENOMEM ENOMSG ENONET ENOPKG ENOPROTOOPT ENOSPC ENOSR ENOSTR ENOSYS ENOTBLK ENOTCONN ENOTDIR ENOTEMPTY ENOTNAM "
     "ENOTRECOVERABLE ENOTSOCK ENOTSUP ENOTTY ENOTUNIQ ENXIO EOPNOTSUPP EOVERFLOW EOWNERDEAD EPERM EPFNOSUPPORT EPIPE EPROTO EPROTONOSUPPORT "
     "EPROTOTYPE ERANGE EREMCHG EREMOTE EREMOTEIO ERESTART ERFKILL EROFS ESHUTDOWN ESOCKTNOSUPPORT ESPIPE ESRCH ESRMNT ESTALE ESTRPIPE ETIME "
     "ETIMEDOUT ETOOMANYREFS ETXTBSY EUCLEAN EUNATCH EUSERS EWOULDBLOCK EXDEV EXFULL errno"},
    {"<assert.h>", "assert"},
    {"<ctype.h>",
     "isalnum isalpha isblank iscntrl isdigit isgraph islower isprint ispunct isspace isupper isxdigit tolower toupper"},
    {"<fenv.h>",
     "feclearexcept fegetenv fegetexceptflag fegetround feholdexcept fenv_t feraiseexcept fesetenv fesetexceptflag fesetround fetestexcept "
     "feupdateenv fexcept_t"},
    {"<inttypes.h>",
     "imaxabs imaxdiv imaxdiv_t strtoimax strtoumax wcstoimax wcstoumax"},
    {"<locale.h>",
     "lconv localeconv setlocale"},
    {"<math.h>",
     "HUGE_VAL HUGE_VALF HUGE_VALL INFINITY MATH_ERREXCEPT MATH_ERRNO NAN acos acosh asin asinh atan atan2 atanh cbrt ceil copysign cos cosh double_t erf erfc exp "
     "exp2 expm1 fabs fdim float_t floor fma fmax fmin fmod fpclassify frexp hypot ilogb isfinite isgreater isgreaterequal isinf isless "
     "islessequal islessgreater isnan isnormal isunordered ldexp lgamma llrint llround log log10 log1p log2 logb lrint lround math_errhandling "
     "modf nan nearbyint nextafter nexttoward pow remainder remquo rint round scalbln scalbn signbit sin sinh sqrt tan tanh tgamma trunc"},
    {"<complex.h>",
     "CMPLX I cabs cacos cacosh carg casin casinh catan catanh ccos ccosh cexp cimag clog complex conj cpow cproj creal csin csinh csqrt ctan "
     "ctanh imaginary"},
    {"<setjmp.h>",
     "jmp_buf longjmp setjmp"},
    {"<signal.h>",
     "SIGABRT SIGALRM SIGBUS SIGCHLD SIGCLD SIGCONT SIGFPE SIGHUP SIGILL SIGINT SIGIO SIGIOT SIGKILL SIGPIPE SIGPOLL SIGPROF SIGPWR SIGQUIT "
     "SIGRTMAX SIGRTMIN SIGSEGV SIGSTKFLT SIGSTOP SIGSYS SIGTERM SIGTRAP SIGTSTP SIGTTIN SIGTTOU SIGURG SIGUSR1 SIGUSR2 SIGVTALRM SIGWINCH "
     "SIGXCPU SIGXFSZ SIG_DFL SIG_ERR SIG_IGN raise sig_atomic_t signal"},
    {"<stdio.h>",
     "BUFSIZ EOF FILE FILENAME_MAX FOPEN_MAX L_tmpnam SEEK_CUR SEEK_END SEEK_SET TMP_MAX clearerr fclose feof ferror fflush fgetc fgetpos "
     "fgets fopen fpos_t fprintf fputc fputs fread freopen fscanf fseek fsetpos ftell fwrite getc getchar perror printf putc putchar puts "
     "remove rename rewind scanf setbuf setvbuf snprintf sprintf sscanf stderr stdin stdout tmpfile tmpnam ungetc vfprintf vfscanf vprintf "
     "vscanf vsnprintf vsprintf vsscanf"},
    {"<stdlib.h>",
     "EXIT_FAILURE EXIT_SUCCESS MB_CUR_MAX RAND_MAX abort abs aligned_alloc at_quick_exit atexit atof atoi atol atoll bsearch calloc div div_t "
     "exit free getenv labs ldiv ldiv_t llabs lldiv lldiv_t malloc mblen mbstowcs mbtowc qsort quick_exit rand realloc srand strtod strtof "
     "strtol strtold strtoll strtoul strtoull system wcstombs wctomb"},
    {"<string.h>",
     "memchr memcmp memcpy memmove memset strcat strchr strcmp strcoll strcpy strcspn strerror strlen strncat strncmp strncpy strpbrk strrchr "
     "strspn strstr strtok strxfrm"},
    {"<time.h>",
     "CLOCKS_PER_SEC TIME_UTC asctime clock clock_t ctime difftime gmtime localtime mktime strftime time time_t timespec timespec_get tm"},
    {"<threads.h>",
     "ONCE_FLAG_INIT TSS_DTOR_ITERATIONS call_once cnd_broadcast cnd_destroy cnd_init cnd_signal cnd_t cnd_timedwait cnd_wait mtx_destroy "
     "mtx_init mtx_lock mtx_plain mtx_recursive mtx_t mtx_timed mtx_timedlock mtx_trylock mtx_unlock once_flag thrd_busy thrd_create "
     "thrd_current thrd_detach thrd_equal thrd_error thrd_exit thrd_join thrd_nomem thrd_sleep thrd_start_t thrd_success thrd_t thrd_timedout "
     "thrd_yield tss_create tss_delete tss_dtor_t tss_get tss_set tss_t"},
    {"<uchar.h>",
     "c16rtomb c32rtomb mbrtoc16 mbrtoc32 mbstate_t"},
    {"<wchar.h>",
     "WEOF btowc fgetwc fgetws fputwc fputws fwide fwprintf fwscanf getwc getwchar mbrlen mbrtowc mbsinit mbsrtowcs putwc putwchar swprintf "
     "swscanf ungetwc vfwprintf vfwscanf vswprintf vswscanf vwprintf vwscanf wcrtomb wcscat wcschr wcscmp wcscoll wcscpy wcscspn wcsftime "
     "wcslen wcsncat wcsncmp wcsncpy wcspbrk wcsrchr wcsrtombs wcsspn wcsstr wcstod wcstof wcstok wcstol wcstold wcstoll wcstoul wcstoull "
     "wcsxfrm wctob wint_t wmemchr wmemcmp wmemcpy wmemmove wmemset wprintf wscanf"},
    {"<wctype.h>",
     "iswalnum iswalpha iswblank iswcntrl iswctype iswdigit iswgraph iswlower iswprint iswpunct iswspace iswupper iswxdigit towctrans towlower "
     "towupper wctrans wctrans_t wctype wctype_t"},
    {"<stdatomic.h>",
     "memory_order memory_order_relaxed memory_order_consume memory_order_acquire memory_order_release memory_order_acq_rel memory_order_seq_cst kill_dependency"},
    {"the C library",
     "M_1_PI M_2_PI M_2_SQRTPI M_E M_LN10 M_LN2 M_LOG10E M_LOG2E M_PI M_PI_2 M_PI_4 M_SQRT1_2 M_SQRT2 SNAN canonicalize clog10 drem exp10 "
     "finite fmaximum fmaximum_mag fmaximum_mag_num fmaximum_num fmaxmag fminimum fminimum_mag fminimum_mag_num fminimum_num fminmag fromfp "
     "fromfpx gamma getpayload infinity j0 j1 jn llogb nextdown nextup pow10 roundeven scalb setpayload setpayloadsig significand sincos "
     "totalorder totalordermag ufromfp ufromfpx y0 y1 yn"},
    {"the C library",
     "AIO_PRIO_DELTA_MAX ARG_MAX ATEXIT_MAX BC_BASE_MAX BC_DIM_MAX BC_SCALE_MAX BC_STRING_MAX BIG_ENDIAN BOOL_MAX BOOL_WIDTH BUS_ADRALN "
     "BUS_ADRERR BUS_MCEERR_AO BUS_MCEERR_AR BUS_OBJERR BYTE_ORDER CHARCLASS_NAME_MAX CHAR_WIDTH CHILD_MAX CLD_CONTINUED CLD_DUMPED CLD_EXITED "
     "CLD_KILLED CLD_STOPPED CLD_TRAPPED CLK_TCK CLOCK_ALLOWED CLOCK_BOOTTIME CLOCK_BOOTTIME_ALARM CLOCK_DISABLED CLOCK_DISALLOWED "
     "CLOCK_ENABLED CLOCK_MONOTONIC CLOCK_MONOTONIC_COARSE CLOCK_MONOTONIC_RAW CLOCK_PROCESS_CPUTIME_ID CLOCK_REALTIME CLOCK_REALTIME_ALARM "
     "CLOCK_REALTIME_COARSE CLOCK_TAI CLOCK_THREAD_CPUTIME_ID CLOSE_RANGE_CLOEXEC CLOSE_RANGE_UNSHARE COLL_WEIGHTS_MAX DELAYTIMER_MAX EFTYPE "
     "EXPR_NEST_MAX FD_CLR FD_ISSET FD_SET FD_SETSIZE FD_ZERO FPE_CONDTRAP FPE_FLTDIV FPE_FLTINV FPE_FLTOVF FPE_FLTRES FPE_FLTSUB FPE_FLTUND "
     "FPE_FLTUNK FPE_INTDIV FPE_INTOVF F_LOCK F_OK F_TEST F_TLOCK F_ULOCK HOST_NAME_MAX ILL_BADIADDR ILL_BADSTK ILL_COPROC ILL_ILLADR "
     "ILL_ILLOPC ILL_ILLOPN ILL_ILLTRP ILL_PRVOPC ILL_PRVREG IOV_MAX LINE_MAX LINK_MAX LITTLE_ENDIAN LLONG_WIDTH LOGIN_NAME_MAX LONG_BIT "
     "LONG_LONG_MAX LONG_LONG_MIN LONG_WIDTH L_INCR L_SET L_XTND MAXFLOAT MAX_CANON MAX_INPUT MINSIGSTKSZ MQ_PRIO_MAX M_3PI_4 M_INVLN2 "
     "M_IVLN10 M_LN2HI M_LN2LO M_LOG2_E M_SQRT3 M_SQRTPI M_TWOPI NAME_MAX NFDBITS NGREG NGROUPS_MAX NL_ARGMAX NL_LANGMAX NL_MSGMAX NL_NMAX "
     "NL_SETMAX NL_TEXTMAX NSIG NZERO OPEN_MAX PATH_MAX PDP_ENDIAN PIPE_BUF POLL_ERR POLL_HUP POLL_IN POLL_MSG POLL_OUT POLL_PRI "
     "PTHREAD_CREATE_DETACHED PTHREAD_CREATE_JOINABLE PTHREAD_DESTRUCTOR_ITERATIONS PTHREAD_EXPLICIT_SCHED PTHREAD_INHERIT_SCHED "
     "PTHREAD_KEYS_MAX PTHREAD_SCOPE_PROCESS PTHREAD_SCOPE_SYSTEM PTHREAD_STACK_MIN PTRDIFF_WIDTH REG_CR2 REG_CSGSFS REG_EFL REG_ERR "
     "REG_OLDMASK REG_R10 REG_R11 REG_R12 REG_R13 REG_R14 REG_R15 REG_R8 REG_R9 REG_RAX REG_RBP REG_RBX REG_RCX REG_RDI REG_RDX REG_RIP "
     "REG_RSI REG_RSP REG_TRAPNO RENAME_EXCHANGE RENAME_NOREPLACE RENAME_WHITEOUT RE_DUP_MAX RTSIG_MAX R_OK SA_INTERRUPT SA_NOCLDSTOP "
     "SA_NOCLDWAIT SA_NODEFER SA_NOMASK SA_ONESHOT SA_ONSTACK SA_RESETHAND SA_RESTART SA_SIGINFO SA_STACK SCHAR_WIDTH SCHED_FIFO SCHED_OTHER "
     "SCHED_RR SEEK_DATA SEEK_HOLE SEGV_ACCADI SEGV_ACCERR SEGV_ADIDERR SEGV_ADIPERR SEGV_BNDERR SEGV_MAPERR SEGV_MTEAERR SEGV_MTESERR "
     "SEGV_PKUERR SEM_VALUE_MAX SHRT_WIDTH SIG2STR_MAX SIGEMT SIGEV_NONE SIGEV_SIGNAL SIGEV_THREAD SIGEV_THREAD_ID SIGLOST SIGSTKSZ "
     "SIG_ATOMIC_WIDTH SIG_BLOCK SIG_HOLD SIG_SETMASK SIG_UNBLOCK SIZE_WIDTH SI_ASYNCIO SI_ASYNCNL SI_DETHREAD SI_KERNEL SI_MESGQ SI_QUEUE "
     "SI_SIGIO SI_TIMER SI_TKILL SI_USER SSIZE_MAX SS_DISABLE SS_ONSTACK STDERR_FILENO STDIN_FILENO STDOUT_FILENO TEMP_FAILURE_RETRY "
     "TIMER_ABSTIME TIMESPEC_TO_TIMEVAL TIMEVAL_TO_TIMESPEC TRAP_BRANCH TRAP_BRKPT TRAP_HWBKPT TRAP_TRACE TRAP_UNK TTY_NAME_MAX UCHAR_WIDTH "
     "ULLONG_WIDTH ULONG_LONG_MAX ULONG_WIDTH USHRT_WIDTH WCHAR_WIDTH WCONTINUED WEXITED WEXITSTATUS WIFCONTINUED WIFEXITED WIFSIGNALED "
     "WIFSTOPPED WINT_WIDTH WNOHANG WNOWAIT WORD_BIT WSTOPPED WSTOPSIG WTERMSIG WUNTRACED W_OK X_OK"},
    {"the C library",
     "sched_yield sem_init "
     "L_ctermid L_cuserid P_tmpdir a64l access acct alarm alloca arc4random arc4random_buf arc4random_uniform asctime_r asiprintf asniprintf "
     "asnprintf asprintf assert_perror atoff basename bcmp bcopy be16toh be32toh be64toh blkcnt64_t blkcnt_t blksize_t brk bzero c8rtomb "
     "caddr_t canonicalize_file_name cfree chdir chown chroot clearenv clearerr_unlocked clearerror clock_adjtime clock_getcpuclockid "
     "clock_getres clock_gettime clock_nanosleep clock_settime clockid_t close close_range closefrom comparison_fn_t confstr copy_file_range "
     "crypt ctermid ctime_r cuserid daddr_t daemon daylight dev_t diprintf dprintf drand48 drand48_data drand48_r dup dup2 dup3 duplocale "
     "dysize eaccess ecvt ecvt_r ecvtf ecvtf_r endusershell environ erand48 erand48_r error_t euidaccess execl execle execlp execv execve "
     "execveat execvp execvpe explicit_bzero faccessat fast_putc fchdir fchown fchownat fcloseall fcvt fcvt_r fcvtf fcvtf_r fd_mask fd_set "
     "fdatasync fdevopen fdopen fedisableexcept feenableexcept fegetexcept fegetmode femode_t feof_unlocked ferror_unlocked fesetexcept "
     "fesetmode fetestexceptflag fexecve fflush_unlocked ffs ffsl ffsll fgetc_unlocked fgetpos64 fgets_unlocked fgetwc_unlocked "
     "fgetws_unlocked fileno fileno_unlocked fiprintf fiscanf flockfile fls flsl flsll fmemopen fopen64 fopencookie fork fp_except fp_rdi "
     "fp_rnd fpathconf fpgetmask fpgetround fpgetroundtoi fpgetsticky fpos64_t fpregset_t fpsetmask fpsetround fpsetroundtoi fpsetsticky "
     "fpurge fputc_unlocked fputs_unlocked fputwc_unlocked fputws_unlocked fread_unlocked freelocale freopen64 fropen fsblkcnt64_t fsblkcnt_t "
     "fseeko fseeko64 fsetpos64 fsfilcnt64_t fsfilcnt_t fsid_t fsync ftello ftello64 ftruncate ftruncate64 ftrylockfile funlockfile funopen "
     "fwopen fwrite_unlocked gamma_r gammaf_r gcvt gcvtf get_current_dir_name getc_unlocked getchar_unlocked getcwd getdate getdate_err "
     "getdate_r getdelim getdomainname getdtablesize getegid getentropy geteuid getgid getgroups gethostid gethostname getline getloadavg "
     "getlogin getlogin_r getopt getpagesize getpass getpgid getpgrp getpid getppid getpt getresgid getresuid gets getsid getsubopt gettid "
     "getuid getusershell getw getwc_unlocked getwchar_unlocked getwd gid_t gmtime_r grantpt greg_t gregset_t group_member gsignal htobe16 "
     "htobe32 htobe64 htole16 htole32 htole64 id_t ieee_ext ieee_ext_u in_addr_t in_port_t index initstate initstate_r ino64_t ino_t iprintf "
     "isalnum_l isalpha_l isascii isascii_l isatty isblank_l iscanf iscanonical iscntrl_l isctype isdigit_l iseqsig isgraph_l islower_l "
     "isprint_l ispunct_l issignaling isspace_l issubnormal isupper_l iswalnum_l iswalpha_l iswblank_l iswcntrl_l iswctype_l iswdigit_l "
     "iswgraph_l iswlower_l iswprint_l iswpunct_l iswspace_l iswupper_l iswxdigit_l isxdigit_l iszero iszerof itimerspec itoa jrand48 "
     "jrand48_r key_t kill killpg l64a lchown lcong48 lcong48_r le16toh le32toh le64toh lgamma_r lgammaf_r lgammal_r link linkat locale_t "
     "localtime_r lockf loff_t lrand48 lrand48_r lseek lseek64 mbrtoc8 mbsnrtowcs mcontext_t memccpy memfrob memmem mempcpy memrchr mkdtemp "
     "mkostemp mkostemp64 mkostemps mkostemps64 mkstemp mkstemp64 mkstemps mkstemps64 mktemp mode_t mrand48 mrand48_r nanosleep newlocale nice "
     "nlink_t nrand48 nrand48_r obstack obstack_printf obstack_vprintf off64_t off_t on_exit open_memstream open_wmemstream optarg opterr "
     "optind optopt pathconf pause pclose physadr pid_t pipe pipe2 popen posix_memalign posix_openpt pread pread64 printf_float profil "
     "program_invocation_name program_invocation_short_name pselect psiginfo psignal ptsname ptsname_r putc_unlocked putchar_unlocked putenv "
     "putw putwc_unlocked putwchar_unlocked pwrite pwrite64 qecvt qecvt_r qfcvt qfcvt_r qgcvt qsort_r quad quad_t rand_r random random_data "
     "random_r rawmemchr read readlink readlinkat reallocarray reallocf realpath register_t renameat renameat2 revoke rindex rmdir rpmatch "
     "sa_handler sa_sigaction sbintime_t sbrk sched_param secure_getenv seed48 seed48_r select setbuffer setdomainname setegid setenv seteuid "
     "setgid sethostid sethostname setkey setlinebuf setlogin setpgid setpgrp setregid setresgid setresuid setreuid setsid setstate setstate_r "
     "setuid setusershell si_addr si_addr_lsb si_arch si_band si_call_addr si_fd si_int si_lower si_overrun si_pid si_pkey si_ptr si_status "
     "si_stime si_syscall si_timerid si_uid si_upper si_utime si_value sig2str sig_t sigabbrev_np sigaction sigaddset sigaltstack sigandset "
     "sigblock sigcontext sigdelset sigdescr_np sigemptyset sigev_notify_attributes sigev_notify_function sigevent sigevent_t sigfillset "
     "siggetmask sighandler_t sighold sigignore siginfo_t siginterrupt sigisemptyset sigismember sigjmp_buf siglongjmp sigmask signgam "
     "sigorset sigpause sigpending sigprocmask sigqueue sigrelse sigreturn sigset sigset_t sigsetjmp sigsetmask sigstack sigsuspend "
     "sigtimedwait sigval sigval_t sigwait sigwaitinfo siprintf siscanf sleep sniprintf socklen_t srand48 srand48_r srandom srandom_r ssignal "
     "ssize_t stack_t stpcpy stpncpy str2sig strcasecmp strcasecmp_l strcasestr strchrnul strcoll_l strdup strdupa strerror_l strerror_r "
     "strerrordesc_np strerrorname_np strfromd strfromf strfroml strfry strftime_l strlcat strlcpy strlwr strncasecmp strncasecmp_l strndup "
     "strndupa strnlen strnstr strptime strptime_l strsep strsignal strtod_l strtodf strtof_l strtoimax_l strtok_r strtol_l strtold_l "
     "strtoll_l strtoq strtoul_l strtoull_l strtoumax_l strtouq strupr strverscmp strxfrm_l suboptarg suseconds_t swab symlink symlinkat sync "
     "syncfs syscall sysconf sysv_signal tcgetpgrp tcsetpgrp tempnam tgkill timegm timelocal timer_create timer_delete timer_getoverrun "
     "timer_gettime timer_settime timer_t timespec_getres timeval timex timezone timingsafe_bcmp timingsafe_memcmp tmpfile64 tmpnam_r toascii "
     "toascii_l tolower_l toupper_l towctrans_l towlower_l towupper_l truncate truncate64 ttyname ttyname_r ttyslot tzname tzset u_char u_int "
     "u_int16_t u_int32_t u_int64_t u_int8_t u_long u_quad_t u_register_t u_short ualarm ucontext_t uid_t uint ulong unlink unlinkat unlockpt "
     "unsetenv useconds_t uselocale ushort usleep utoa valloc vasiprintf vasniprintf vasnprintf vasprintf vdiprintf vdprintf vfiprintf "
     "vfiscanf vfork vhangup viprintf viscanf vsiprintf vsiscanf vsniprintf wcpcpy wcpncpy wcscasecmp wcscasecmp_l wcschrnul wcscoll_l wcsdup "
     "wcsftime_l wcslcat wcslcpy wcsncasecmp wcsncasecmp_l wcsnlen wcsnrtombs wcstod_l wcstof_l wcstoimax_l wcstol_l wcstold_l wcstoll_l "
     "wcstoq wcstoul_l wcstoull_l wcstoumax_l wcstouq wcswcs wcswidth wcsxfrm_l wctrans_l wctype_l wcwidth wmempcpy write"},
};

bool holds(std::string_view names, std::string_view name) {
  for (std::size_t at = names.find(name); at != std::string_view::npos; at = names.find(name, at + 1)) {
    const std::size_t end = at + name.size();
    if ((at == 0 || names[at - 1] == ' ') && (end == names.size() || names[end] == ' ')) return true;
  }
  return false;
}

/// C11's families of names: (u)intN_t, atomic functions, limits and characteristics of types, format macros.
bool follows_rule(const std::string& name) {
  static const std::regex rule(
      "u?int(_fast|_least)?(8|16|32|64)_t|(atomic|pthread)_[a-z0-9_]+|(FE|FP|LC|FLT|DBL|LDBL|ATOMIC)_[A-Z0-9_]+|"
      "U?INT(_?(FAST|LEAST))?(8|16|32|64|MAX|PTR)?_(MAX|MIN|WIDTH|C)|(PRI|SCN)[dioxuX](8|16|32|64|(FAST|LEAST)(8|16|32|64)|MAX|PTR)");
  return std::regex_match(name, rule);
}

/// Where the C library declares the name; empty if nowhere. Mathematical functions have variants for float and long double.
std::string declared_in(const std::string& name) {
  const std::string stem = name.ends_with("f") || name.ends_with("l") ? name.substr(0, name.size() - 1) : name;
  for (const Row& row : rows) {
    const bool has_variants = holds(row.names, "acos") || holds(row.names, "cacos") || holds(row.names, "roundeven");
    if (holds(row.names, name) || (has_variants && holds(row.names, stem))) return row.where;
  }
  return follows_rule(name) ? "the C library" : "";
}

}  // namespace

std::string library_clash(const std::string& name) {
  std::string lower;
  for (char c : name) lower += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (holds(headers, lower)) return fmt::format("{}.h would hide <{}.h>", name, lower);
  if (const std::string where = declared_in(name); !where.empty()) return fmt::format("it is a name of {}", where);
  for (const char* wrapper : {"init", "load", "yield"})
    if (const std::string made = fmt::format("{}_{}", name, wrapper); !declared_in(made).empty()) return fmt::format("{} is a name of {}", made, declared_in(made));
  return "";
}

bool is_library_macro(const std::string& name) {
  constexpr std::string_view small = "assert complex environ errno imaginary math_errhandling noreturn signgam stderr stdin stdout";
  const bool capital = std::none_of(name.begin(), name.end(), [](unsigned char c) { return std::islower(c) != 0; });
  return holds(small, name) || (capital && !declared_in(name).empty());
}

}  // namespace tinytc
